import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, vi } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test as base } from '../../test/support/fixture.ts';
import { HttpClient } from '../load/http-client.ts';
import { type RunningApp, startApp } from './app.ts';
import { seedDatabase } from './seed.ts';

const PASSWORD = 'correct horse';

const appAddress = (database: Database) => ({
  ...database.address,
  user: `${database.name}_app`,
  password: PASSWORD,
});

const seed = (database: Database, rows = 1_000) =>
  seedDatabase(database.address, { rows, appRole: { name: `${database.name}_app`, password: PASSWORD } });

const test = base.extend<{ shop: Database; app: RunningApp }>({
  shop: async ({ source }, use) => {
    await seed(source);
    await use(source);
  },
  app: async ({ shop }, use) => {
    const app = await startApp({ database: appAddress(shop), poolSize: 2 });
    await use(app);
    await app.stop();
  },
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function ask(app: { url: string }, path: string): Promise<Answer> {
  const response = await fetch(`${app.url}${path}`);
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function tell(
  app: RunningApp,
  method: string,
  path: string,
  id: string,
  body: object,
): Promise<Answer> {
  const headers = { 'idempotency-key': id };
  const response = await fetch(`${app.url}${path}`, { method, headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const count = async (database: Database, from: string): Promise<number> => {
  const [row] = await database.rows<{ n: number }>(`SELECT count(*) AS n FROM ${from}`);
  return row?.n ?? -1;
};

test('the seed makes as many rows as asked, whose foreign keys and sequences hold', async ({
  source,
  target,
}) => {
  await Promise.all([seed(source, 20_000), seed(target, 20_000)]);
  const tables = await source.rows<{ name: string }>(`
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
    WHERE schemaname IN ('public', 'billing') AND NOT EXISTS (
      SELECT FROM pg_inherits WHERE inhrelid = format('%I.%I', schemaname, tablename)::regclass)`);
  let total = 0;
  for (const { name } of tables) total += await count(source, name);
  expect(Math.abs(total - 20_000)).toBeLessThan(400);

  // The seed went around the foreign keys: prove each by making it anew.
  await source.exec(`DO $$
    DECLARE f record;
    BEGIN
      FOR f IN SELECT conrelid::regclass AS t, conname, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
      LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', f.t, f.conname, f.conname, f.definition);
      END LOOP;
    END $$`);
  const next = `SELECT nextval('billing.invoice_numbers') < (SELECT min(number) FROM billing.invoices) AS invoice,
    nextval(pg_get_serial_sequence('public.orders', 'id')) > (SELECT max(id) FROM public.orders) AS order,
    nextval('public.event_ids') > (SELECT max(id) FROM public.events) AS event`;
  expect(await source.rows(next)).toEqual([{ invoice: true, order: true, event: true }]);

  const sum = 'SELECT md5(string_agg(o::text, NULL ORDER BY id)) AS sum FROM public.orders o';
  expect(await source.rows(sum)).toEqual(await target.rows(sum));
});

test('the application is an ordinary role', async ({ shop, app }) => {
  const { status, body } = await ask(app, '/db');
  const [server] = await shop.rows<{ id: string }>(
    'SELECT system_identifier::text AS id FROM pg_control_system()',
  );
  expect(status).toBe(200);
  expect(body).toMatchObject({
    user: `${shop.name}_app`,
    database: shop.name,
    systemIdentifier: server?.id,
    inRecovery: false,
  });
  const [role] = await shop.rows<{ rolsuper: boolean; verifier: string }>(
    `SELECT rolsuper, rolpassword AS verifier FROM pg_authid WHERE rolname = '${shop.name}_app'`,
  );
  expect(role?.rolsuper).toBe(false);
  expect(role?.verifier).toMatch(/^SCRAM-SHA-256\$4096:/);
});

test('it answers questions', async ({ app }) => {
  expect((await ask(app, '/healthz')).status).toBe(200);
  expect((await ask(app, '/catalog')).body).toEqual({ customers: 80, products: 20, orders: 180 });
  expect((await ask(app, '/orders/7')).body).toMatchObject({
    id: '7',
    items: [{ quantity: 3 }, { quantity: 1 }],
  });
  expect((await ask(app, '/orders/7777')).status).toBe(404);
  expect((await ask(app, '/customers/3/orders')).body).toHaveLength(2);
  expect((await ask(app, '/products?search=hammer')).body).toContainEqual(
    expect.objectContaining({ id: 14 }),
  );
  expect((await ask(app, '/dashboard')).body).toMatchObject({ newest_orders: { paid: 50 } });
  expect((await ask(app, '/nothing')).status).toBe(404);
});

test('an order is placed whole, paid once, and leaves its traces', async ({ shop, app }) => {
  const lines = [
    { product: 5, quantity: 2 },
    { product: 3, quantity: 1 },
  ];
  const placed = await tell(app, 'POST', '/orders', 'r1', { customer: 1, lines });
  expect(placed).toEqual({ status: 201, body: { orderId: 181 } });
  expect(await count(shop, 'order_items WHERE order_id = 181')).toBe(2);
  expect(await count(shop, 'products WHERE stock <> initial_stock')).toBe(2);
  expect(await count(shop, `events WHERE request_id = 'r1'`)).toBe(1);

  const paid = await tell(app, 'POST', '/orders/181/payment', 'r2', { method: 'card' });
  expect(paid.status).toBe(201);
  expect(Number(paid.body.invoice)).toBeLessThan(-1_000);
  expect(await count(shop, 'order_status_changes WHERE order_id = 181')).toBe(1);
  expect((await tell(app, 'POST', '/orders/181/payment', 'r3', { method: 'card' })).status).toBe(409);
  expect((await tell(app, 'POST', '/orders/181/cancellation', 'r4', {})).status).toBe(409);
  expect(await count(shop, `request_log WHERE request_id IN ('r3', 'r4')`)).toBe(0);
});

test('a cancelled order gives its stock back', async ({ shop, app }) => {
  await tell(app, 'POST', '/orders', 'r1', { customer: 1, lines: [{ product: 5, quantity: 2 }] });
  expect((await tell(app, 'POST', '/orders/181/cancellation', 'r2', {})).status).toBe(201);
  expect(await count(shop, 'products WHERE stock <> initial_stock')).toBe(0);
});

test('a request that is repeated is refused and done once', async ({ shop, app }) => {
  const event = { kind: 'test', payload: { a: 1 } };
  expect((await tell(app, 'POST', '/events', 'r1', event)).status).toBe(201);
  expect((await tell(app, 'POST', '/events', 'r1', event)).status).toBe(409);
  expect(await count(shop, `events WHERE request_id = 'r1'`)).toBe(1);
  expect((await fetch(`${app.url}/events`, { method: 'POST', body: '{}' })).status).toBe(400);
});

test('a transaction that fails leaves nothing', async ({ shop, app }) => {
  const lines = [{ product: 5, quantity: 2_000_000 }];
  expect((await tell(app, 'POST', '/orders', 'r1', { customer: 1, lines })).status).toBe(500);
  expect(await count(shop, `request_log WHERE request_id = 'r1'`)).toBe(0);
  expect(
    (await tell(app, 'POST', '/orders', 'r1', { customer: 1, lines: [{ product: 99, quantity: 1 }] })).status,
  ).toBe(409);
  expect(
    (await tell(app, 'POST', '/orders', 'r1', { customer: 1, lines: [{ product: 5, quantity: 1 }] })).status,
  ).toBe(201);
});

test('profiles, carts and sessions are written', async ({ shop, app }) => {
  expect((await tell(app, 'PATCH', '/customers/4', 'r1', { profile: { a: 1 } })).body).toEqual({
    version: 1,
  });
  expect((await tell(app, 'PATCH', '/customers/4000', 'r2', { profile: {} })).status).toBe(409);
  expect(await count(shop, `customers WHERE id = 4 AND profile @> '{"a": 1, "points": 4}'`)).toBe(1);
  for (const id of ['r3', 'r4']) await tell(app, 'PUT', '/carts/70', id, { contents: [{ product: 1 }] });
  expect(await count(shop, 'carts WHERE customer_id = 70 AND version = 2')).toBe(1);
  expect(await count(shop, `sessions WHERE token IN (md5('r3')::uuid, md5('r4')::uuid)`)).toBe(2);
});

test('it moves to another database on demand', async ({ shop, target, app }) => {
  await seed(target);
  expect((await ask(app, '/db')).body.database).toBe(shop.name);
  await app.reconfigure(appAddress(target));
  expect((await ask(app, '/db')).body.database).toBe(target.name);
});

test('requests that wait for a session when it moves are answered', async ({ shop, target }) => {
  await seed(target);
  await using app = await startApp({ database: appAddress(shop), poolSize: 1 });
  await shop.exec('BEGIN; LOCK TABLE public.customers');
  const waiting = Array.from({ length: 5 }, () => ask(app, '/catalog'));
  await vi.waitFor(async () =>
    expect(await count(shop, "pg_stat_activity WHERE wait_event_type = 'Lock' AND usename ~ '_app$'")).toBe(
      1,
    ),
  );
  const moved = app.reconfigure(appAddress(target));
  // Its new session is open: from here on the old ones only end.
  await vi.waitFor(async () =>
    expect(await count(target, "pg_stat_activity WHERE usename ~ '_app$'")).toBe(1),
  );
  await shop.exec('COMMIT');
  await moved;
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
});

test('as a process it reads a mounted file, and follows its changes', async ({ shop, target }) => {
  await seed(target);
  const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'database.json');
  const write = (database: Database) => writeFileSync(config, JSON.stringify(appAddress(database)));
  write(shop);
  const app = spawn(process.execPath, ['--import', 'tsx', new URL('main.ts', import.meta.url).pathname], {
    env: { ...process.env, SHOP_CONFIG: config, SHOP_PORT: '0', SHOP_POOL_SIZE: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void app.kill('SIGKILL'));
  const [line] = await once(createInterface(app.stdout), 'line');
  const url = JSON.parse(String(line)).listening as string;
  expect((await ask({ url }, '/db')).body.database).toBe(shop.name);
  write(target);
  await vi.waitFor(async () => expect((await ask({ url }, '/db')).body.database).toBe(target.name), {
    timeout: 20_000,
  });
  app.kill('SIGTERM');
  expect(await once(app, 'exit')).toEqual([0, null]);
});

test.for([13, 14, 17, 18])('the shop runs on PostgreSQL %d', async (majorVersion, { ownServers }) => {
  const [server] = await ownServers([majorVersion]);
  if (server === undefined) throw new Error('No server');
  const appRole = { name: 'shop', password: PASSWORD };
  await seedDatabase(server.address(), { rows: 1_000, appRole });
  await using app = await startApp({
    database: { ...server.address(), user: appRole.name, password: appRole.password },
    poolSize: 1,
  });
  expect((await ask(app, '/db')).body.version).toBe(server.version);
  const lines = [{ product: 5, quantity: 2 }];
  expect((await tell(app, 'POST', '/orders', 'r1', { customer: 1, lines })).status).toBe(201);
});

test('a shop that stops answers what comes on open connections, and asks for their end', async ({ shop }) => {
  const app = await startApp({ database: appAddress(shop), poolSize: 2, drainMs: 30_000 });
  const client = new HttpClient(new URL(app.url), 10_000);
  onTestFinished(() => client.close());
  const askThrice = () =>
    Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise((resolve) =>
            client.send({ method: 'GET', path: '/orders/1', requestId: undefined, body: undefined }, resolve),
          ),
      ),
    );
  await askThrice();
  const stopping = app.stop();
  expect(await askThrice()).toEqual([200, 200, 200]);
  await stopping;
  expect(await askThrice()).toEqual([0, 0, 0]);
});
