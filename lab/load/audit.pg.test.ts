import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, vi } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test as base } from '../../test/support/fixture.ts';
import { type RunningApp, startApp } from '../app/app.ts';
import { seedDatabase } from '../app/seed.ts';
import { auditLedger } from './audit.ts';
import { type Ledger, readLedger } from './ledger.ts';
import { startLoad } from './load.ts';
import type { RequestKind } from './workload.ts';

const SEED = 'audit test';
const appRole = (database: Database) => ({ name: `${database.name}_app`, password: 'secret' });

const test = base.extend<{ shop: Database; app: RunningApp; ledgerPath: string }>({
  shop: async ({ source }, use) => {
    await seedDatabase(source.address, { rows: 1_000, appRole: appRole(source) });
    await use(source);
  },
  app: async ({ shop }, use) => {
    const { name: user, password } = appRole(shop);
    const app = await startApp({ database: { ...shop.address, user, password }, poolSize: 4 });
    await use(app);
    await app.stop();
  },
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants a fixture's first parameter destructured.
  ledgerPath: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
    await use(join(folder, 'ledger.jsonl'));
    rmSync(folder, { recursive: true });
  },
});

/** Runs a load of writes until so many requests are done. */
async function loadOf(
  app: RunningApp,
  ledgerPath: string,
  requests: number,
  meanwhile?: () => Promise<void>,
) {
  const load = await startLoad({ url: app.url, rate: 150, readShare: 0.2, ledgerPath, seed: SEED });
  await vi.waitFor(() => expect(load.stats().done).toBeGreaterThan(requests / 2), { timeout: 30_000 });
  await meanwhile?.();
  await vi.waitFor(() => expect(load.stats().done).toBeGreaterThan(requests), { timeout: 30_000 });
  return load.stop();
}

function acknowledgedIds(ledger: Ledger, kind: RequestKind): string[] {
  return ledger.outcomes
    .filter((outcome) => outcome.kind === kind && outcome.status === 201)
    .map((outcome) => outcome.requestId ?? '');
}

test('the audit finds nothing where nothing is wrong, and each thing that is', async ({
  shop,
  app,
  ledgerPath,
}) => {
  const stats = await loadOf(app, ledgerPath, 150);
  expect(stats.failed).toBe(0);
  const audit = () => auditLedger({ ledgerPath, seed: SEED, addresses: { active: shop.address } });
  const clean = await audit();
  expect(clean).toMatchObject({
    ok: true,
    lost: 0,
    doubled: 0,
    torn: 0,
    extra: 0,
    unknown: 0,
    inconsistencies: [],
    ledgerBroken: undefined,
    other: undefined,
  });
  expect(clean.acknowledged).toBeGreaterThan(100);

  const ledger = await readLedger(ledgerPath, SEED);
  const [lostOrder, halfOrder, doubledOrder] = acknowledgedIds(ledger, 'place-order');
  const [lostEvent, doubledEvent] = acknowledgedIds(ledger, 'append-event');
  const [lostUpdate] = acknowledgedIds(ledger, 'update-customer');
  await shop.exec('SET session_replication_role = replica');

  await shop.exec(`DELETE FROM request_log WHERE request_id IN ('${lostOrder}', '${lostEvent}');
    DELETE FROM orders WHERE request_id = '${lostOrder}';
    DELETE FROM events WHERE request_id IN ('${lostOrder}', '${lostEvent}')`);
  expect(await audit()).toMatchObject({ ok: false, lost: 2, doubled: 0 });
  expect((await audit()).lostIds.toSorted()).toEqual([lostOrder, lostEvent].toSorted());

  await shop.exec(`DELETE FROM order_items WHERE line_number = 1
    AND order_id = (SELECT id FROM orders WHERE request_id = '${halfOrder}')`);
  expect((await audit()).lostIds).toContain(halfOrder);

  await shop.exec(`INSERT INTO orders (customer_id, item_count, total, request_id)
      SELECT customer_id, 0, total, request_id FROM orders WHERE request_id = '${doubledOrder}';
    INSERT INTO events (kind, request_id) VALUES ('again', '${doubledEvent}')`);
  expect(await audit()).toMatchObject({ lost: 3, doubled: 2 });
  expect((await audit()).doubledIds.toSorted()).toEqual([doubledOrder, doubledEvent].toSorted());

  await shop.exec(`INSERT INTO request_log VALUES ('${ledger.header.run}.999999.aaaa', 'append-event')`);
  expect(await audit()).toMatchObject({ extra: 1, extraIds: [`${ledger.header.run}.999999.aaaa`] });

  await shop.exec(`UPDATE customers SET version = version - 1
    WHERE id = (SELECT subject_id FROM request_log WHERE request_id = '${lostUpdate}')`);
  expect((await audit()).inconsistencies.join()).toMatch(/customer \d+: updated \d+ times, \d+ logged/);
});

test('a ledger that was changed afterwards is told', async ({ shop, app, ledgerPath }) => {
  await loadOf(app, ledgerPath, 20);
  const lines = readFileSync(ledgerPath, 'utf8').split('\n');
  const victim = lines.findIndex((line) => line.includes('requestId'));
  writeFileSync(ledgerPath, lines.toSpliced(victim, 1).join('\n'));
  const report = await auditLedger({ ledgerPath, seed: SEED, addresses: { active: shop.address } });
  expect(report).toMatchObject({ ok: false, extra: 1, lost: 0 });
  expect(report.ledgerBroken).toMatch(/line \d+/);
});

test('a write without an answer may be there or not, and is no fault', async ({ shop, app, ledgerPath }) => {
  const stats = await loadOf(app, ledgerPath, 60, async () => {
    await shop.exec(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${shop.name}_app'`,
    );
  });
  expect(stats.done).toBe(stats.sent);
  const report = await auditLedger({ ledgerPath, seed: SEED, addresses: { active: shop.address } });
  expect(report).toMatchObject({ ok: true, lost: 0, doubled: 0, torn: 0 });
});

test('the generator runs as a process, and ends in order when told to', async ({ shop, app, ledgerPath }) => {
  const load = spawn(process.execPath, ['--import', 'tsx', new URL('main.ts', import.meta.url).pathname], {
    env: { ...process.env, LOAD_URL: app.url, LOAD_RATE: '50', LOAD_LEDGER: ledgerPath, LOAD_SEED: SEED },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void load.kill('SIGKILL'));
  const lines = createInterface(load.stdout)[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  expect(await next()).toEqual({ startedAtMs: expect.any(Number) });
  expect(await next()).toMatchObject({ failed: 0, lastSecond: { failed: 0 } });
  load.kill('SIGTERM');
  const ended = once(load, 'exit');
  let last = await next();
  while (!('stopped' in last)) last = await next();
  expect(last).toMatchObject({ stopped: true, outstanding: 0, failed: 0 });
  expect(await ended).toEqual([0, null]);
  const report = await auditLedger({ ledgerPath, seed: SEED, addresses: { active: shop.address } });
  expect(report.ok).toBe(true);
});

test('the other side must hold every write, too', async ({ shop, app, target, ledgerPath }) => {
  await seedDatabase(target.address, { rows: 1_000, appRole: appRole(target) });
  await loadOf(app, ledgerPath, 40);
  const addresses = { active: shop.address, other: target.address };
  const report = await auditLedger({ ledgerPath, seed: SEED, addresses, settleMs: 0 });
  expect(report).toMatchObject({ ok: false, lost: 0 });
  expect(report.other?.lost).toBe(report.acknowledged);
});
