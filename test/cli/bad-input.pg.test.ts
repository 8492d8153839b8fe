/** What users do wrong, at the real command line before real servers: a clear error, the right exit code, nothing made. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import { type EmbeddedServer, startServer } from '../../src/embedded/embedded-server.ts';
import type { Ended } from '../e2e/tool.ts';
import { Bed, type BedOptions } from './bed.ts';

const SETTINGS = { fsync: 'off', shared_buffers: '32MB' };
const SHOP = `CREATE TABLE public.item (id int PRIMARY KEY, name text NOT NULL);
  INSERT INTO public.item SELECT i, 'item ' || i FROM generate_series(1, 1000) i`;
const CLOSED_PORT = 1;

const servers: Record<'old' | 'new' | 'notLogical' | 'noSlot', EmbeddedServer> = {} as never;

beforeAll(async () => {
  const start = async (name: keyof typeof servers, majorVersion: number, more = {}) => {
    servers[name] = await startServer({ majorVersion, settings: { ...SETTINGS, ...more } });
  };
  await Promise.all([
    start('old', 15),
    start('new', 16),
    start('notLogical', 15, { wal_level: 'replica' }),
    start('noSlot', 15, { max_replication_slots: '1' }),
  ]);
}, 120_000);

afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.remove()));
});

interface Expected {
  readonly exit: number;
  readonly code: string;
  /** All of them are in the message or the hint. */
  readonly says: readonly string[];
}

function expectClear({ exitCode, stdout, stderr }: Ended, { exit, code, says }: Expected, bed: Bed): void {
  const all = `${stdout}${stderr}`;
  expect(exitCode, all).toBe(exit);
  expect(stderr).toContain(`error ${code}: `);
  expect(stderr).toMatch(/\nhint: \S/);
  for (const text of says) expect(stderr).toContain(text);
  expect(all).not.toMatch(/\n\s+at /);
  for (const secret of bed.secrets) expect(all).not.toContain(secret);
}

interface Case extends Expected {
  readonly what: string;
  readonly args: readonly string[];
  readonly options?: () => Partial<BedOptions>;
  readonly arrange?: (bed: Bed) => Promise<unknown>;
}

const CASES: readonly Case[] = [
  {
    what: 'a server that cannot be reached',
    args: ['sync'],
    options: () => ({ ports: { target: CLOSED_PORT } }),
    exit: 4,
    code: 'server_unreachable',
    says: [`127.0.0.1:${CLOSED_PORT}`, 'is the server running'],
  },
  {
    what: 'a wrong password',
    args: ['sync'],
    options: () => ({ passwords: { source: 'hunter2-of-the-source' } }),
    exit: 4,
    code: 'login_failed',
    says: ['postgres', '.pgpass'],
  },
  {
    what: 'wal_level is not logical',
    args: ['sync'],
    options: () => ({ source: servers.notLogical }),
    exit: 3,
    code: 'preflight_failed',
    says: ['wal_level', 'pgglide check'],
  },
  {
    what: 'no free slot',
    args: ['sync'],
    options: () => ({ source: servers.noSlot }),
    arrange: (bed) => bed.rows('source', "SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')"),
    exit: 3,
    code: 'preflight_failed',
    says: ['slot'],
  },
  {
    what: 'a table without replica identity',
    args: ['sync'],
    arrange: (bed) => bed.rows('source', 'CREATE TABLE public.bare_log (line text)'),
    exit: 3,
    code: 'preflight_failed',
    says: ['bare_log'],
  },
  {
    what: 'a target that is not empty',
    args: ['sync'],
    arrange: (bed) =>
      bed.rows('target', 'CREATE TABLE public.item (id int); INSERT INTO public.item VALUES (1)'),
    exit: 3,
    code: 'preflight_failed',
    says: ['the target is not empty'],
  },
  {
    what: 'a target older than the source',
    args: ['sync'],
    options: () => ({ source: servers.new, target: servers.old }),
    exit: 3,
    code: 'preflight_failed',
    says: ['older'],
  },
  {
    what: 'both in one cluster',
    args: ['sync'],
    options: () => ({ target: servers.old }),
    exit: 3,
    code: 'preflight_failed',
    says: ['same'],
  },
  {
    what: 'an unknown flag',
    args: ['sync', '--jbos', '2'],
    exit: 2,
    code: 'unknown_flag',
    says: ['--jbos', '--jobs'],
  },
  {
    what: 'an unknown key',
    args: ['sync'],
    options: () => ({ config: ['copy: { jbos: 2 }'] }),
    exit: 2,
    code: 'config_unknown_key',
    says: ['copy.jbos', 'copy.jobs'],
  },
  {
    what: 'a password in a flag',
    args: ['sync', '--source', 'postgresql://postgres:hunter2@127.0.0.1/x'],
    exit: 2,
    code: 'password_in_flag',
    says: ['passwordFrom'],
  },
  {
    what: 'a cutover before anything was copied',
    args: ['cutover'],
    exit: 7,
    code: 'wrong_phase',
    says: ['cutover', 'pgglide sync'],
  },
  {
    what: 'a rollback without a cutover',
    args: ['rollback'],
    exit: 7,
    code: 'wrong_phase',
    says: ['no cutover'],
  },
  {
    what: 'a verification of nothing',
    args: ['verify'],
    exit: 7,
    code: 'wrong_phase',
    says: ['pgglide sync'],
  },
  {
    what: 'the end of nothing, before a confirmation is asked for',
    args: ['complete'],
    exit: 7,
    code: 'wrong_phase',
    says: ['pgglide sync'],
  },
];

describe('refused, and nothing was made', () => {
  test.each(CASES)('$what', async ({ args, options, arrange, ...expected }) => {
    await using bed = await Bed.create({
      source: servers.old,
      target: servers.new,
      schema: SHOP,
      ...options?.(),
    });
    await arrange?.(bed);
    const before = await bed.inventory();
    const ended = await bed.pgglide(args);
    expectClear(ended, expected, bed);
    await expect.poll(() => bed.inventory(), { timeout: 5000 }).toEqual(before);
    await bed.rows(
      'source',
      "SELECT pg_drop_replication_slot('theirs') FROM pg_replication_slots WHERE slot_name = 'theirs'",
    );
  });
});

test('after the copy: guards before a cutover, differences, a proxy that is not there; abort takes all away', async () => {
  await using bed = await Bed.create({ source: servers.old, target: servers.new, schema: SHOP });
  const before = await bed.inventory();
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  const following = await bed.inventory();

  expectClear(
    await bed.pgglide(['cutover']),
    { exit: 7, code: 'not_verified', says: ['pgglide verify'] },
    bed,
  );
  expectClear(
    await bed.pgglide(['rollback']),
    { exit: 7, code: 'wrong_phase', says: ['source is the active'] },
    bed,
  );

  const tamper = (name: string) =>
    bed.rows(
      'target',
      `SET session_replication_role = replica; SET pgglide.passes_fence = on; UPDATE public.item SET name = '${name}' WHERE id = 77`,
    );
  await tamper('changed by hand');
  const different = await bed.pgglide(['verify']);
  expect(different.exitCode, different.stderr).toBe(5);
  expect(different.stdout).toContain('item');
  expect(different.stdout).toContain('77');
  expectClear(await bed.pgglide(['cutover']), { exit: 7, code: 'not_verified', says: ['differences'] }, bed);
  await tamper('item 77');
  expect((await bed.pgglide(['verify'])).exitCode).toBe(0);

  const dry = await bed.pgglide(['cutover', '--dry-run']);
  expect(dry.stdout).toContain('cutover: before the pause');
  expectClear(dry, { exit: 4, code: 'proxy_unreachable', says: ['nobody.sock'] }, bed);

  const unreachable = await bed.pgglide(['cutover']);
  expectClear(
    unreachable,
    { exit: 4, code: 'proxy_unreachable', says: ['nobody.sock', 'proxy running'] },
    bed,
  );
  await expect.poll(() => bed.inventory(), { timeout: 5000 }).toEqual(following);
  await bed.rows('source', "INSERT INTO public.item VALUES (2000, 'goes on')");
  await until(
    'the link',
    async () =>
      (await bed.rows('target', 'SELECT 1 FROM public.item WHERE id = 2000')).length > 0 ? true : undefined,
    { timeoutMs: 20_000 },
  );

  const aborted = await bed.pgglide(['abort', '--yes']);
  expect(aborted.exitCode, aborted.stderr).toBe(0);
  expect(aborted.stdout).toContain('Nothing of ours is left');
  await expect.poll(() => bed.inventory(), { timeout: 5000 }).toEqual(before);
});

describe('a pipe that closes', () => {
  const inShell = (bed: Bed, pipeline: string) => bed.shell(`set -o pipefail; ${pipeline}`);

  test('behind the progress: the work goes on to its end', async () => {
    await using bed = await Bed.create({ source: servers.old, target: servers.new, schema: SHOP });
    const ended = await inShell(bed, 'pgglide sync 2> >(head -n 1 >&2)');
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stdout).toContain('FOLLOWING');
  });

  test('behind the results: the work stops cleanly and says so by its exit code', async () => {
    await using bed = await Bed.create({ source: servers.old, target: servers.new, schema: SHOP });
    const ended = await inShell(bed, 'pgglide sync -o jsonl | head -n 1');
    expect(ended.exitCode, ended.stderr).toBe(10);
    expect(ended.stderr).toContain('went away');
    expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  });

  test('behind what is read only: no failure', async () => {
    await using bed = await Bed.create({ source: servers.old, target: servers.new, schema: SHOP });
    const ended = await inShell(bed, 'pgglide status --watch 1ms | head -n 1');
    expect(ended.exitCode, ended.stderr).toBe(0);
  });
});

test('a second runner is refused with who holds the lock, and disturbs nothing', async () => {
  await using bed = await Bed.create({ source: servers.old, target: servers.new, schema: SHOP });
  const release = await holdRunnerLock(bed);
  const before = await bed.inventory();
  try {
    const ended = await bed.pgglide(['sync']);
    expectClear(ended, { exit: 8, code: 'another_runner', says: ['"cli"', 'target session', 'since'] }, bed);
    await expect.poll(() => bed.inventory(), { timeout: 5000 }).toEqual(before);
  } finally {
    await release();
  }
});

/** As another pgglide would hold it. */
async function holdRunnerLock(bed: Bed): Promise<() => Promise<void>> {
  const { Connection } = await import('../../src/postgres/connection.ts');
  const { takeRunnerLock } = await import('../../src/state/runner-lock.ts');
  const session = await Connection.open(servers.new.address(bed.database.target), { purpose: 'control' });
  await takeRunnerLock(session, 'cli');
  return () => session.close();
}
