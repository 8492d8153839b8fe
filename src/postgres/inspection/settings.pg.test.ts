/** Settings of whole servers: each test has servers of its own, and restarts them where a fix says so. */

import { describe, expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { check, mend, type Pair, run, troubles } from '../../../test/support/preflight.ts';
import type { EmbeddedServer } from '../../embedded/embedded-server.ts';

type Settings = Readonly<Record<string, string>>;
type OwnServers = (majors: readonly number[], settings?: Settings) => Promise<EmbeddedServer[]>;
interface OwnPair extends Pair {
  readonly servers: readonly EmbeddedServer[];
}

async function pairOf(ownServers: OwnServers, settings: Settings = {}, target = settings): Promise<OwnPair> {
  const servers = [...(await ownServers([15], settings)), ...(await ownServers([16], target))];
  const [source, next] = servers.map((server) => ({ address: server.address() }));
  if (!source || !next) throw new Error('two servers');
  return { source, target: next, servers };
}

async function restart({ servers }: OwnPair): Promise<void> {
  for (const server of servers) {
    await server.stop();
    await server.start();
  }
}

const STARVED = {
  wal_level: 'replica',
  max_replication_slots: '1',
  max_wal_senders: '1',
  max_logical_replication_workers: '0',
  max_worker_processes: '1',
  max_connections: '12',
  max_prepared_transactions: '0',
  max_locks_per_transaction: '10',
  max_slot_wal_keep_size: '16MB',
};

test('case 17, case 31: a starved pair of servers, mended by the fixes alone', async ({ ownServers }) => {
  const pair = await pairOf(ownServers, STARVED);
  const tables = Array.from({ length: 200 }, (_, n) => `CREATE TABLE t${n} (id int PRIMARY KEY)`);
  for (let n = 0; n < tables.length; n += 20) await run(pair.source, tables.slice(n, n + 20).join(';'));
  const found = (await check(pair)).filter((finding) => finding.fix !== undefined);
  const where = (id: string) => found.filter((finding) => finding.id === id).map((finding) => finding.fixOn);
  for (const id of ['PGG101', 'PGG123', 'PGG124', 'PGG126'])
    expect(where(id), id).toEqual(['source', 'target']);
  expect(where('PGG104')).toEqual(['source']);
  expect(where('PGG120')).toEqual(['source', 'target']);
  expect(where('PGG121')).toEqual(['source', 'target']);
  expect(where('PGG122')).toEqual(['source', 'target']);
  expect(where('PGG127')).toEqual(['target']);
  expect(found.find((one) => one.id === 'PGG101')).toMatchObject({
    fix: "ALTER SYSTEM SET wal_level = 'logical';",
    detail: expect.stringContaining('restarted'),
  });
  // The origins' limit is the slots' limit: whoever asks for more comes last.
  for (const finding of found) await mend(pair, finding);
  await restart(pair);
  const left = (await check(pair)).filter((one) => one.severity === 'blocker' || one.severity === 'warning');
  expect(left).toEqual([]);
});

test('case 16, case 31: time-outs that our role starts with', async ({ ownServers }) => {
  const pair = await pairOf(ownServers);
  await run(pair.source, `ALTER DATABASE postgres SET statement_timeout = '1s'`);
  await run(
    pair.target,
    `ALTER ROLE postgres SET idle_in_transaction_session_timeout = '10s';
    ALTER ROLE postgres SET wal_sender_timeout = '5s'`,
  );
  await run(pair.target, 'ALTER SYSTEM SET wal_receiver_timeout = 1000');
  await run(pair.target, 'SELECT pg_reload_conf()');
  const found = await troubles(pair, 'PGG107');
  expect(found).toMatchObject([
    { fixOn: 'source', title: expect.stringContaining('statement_timeout is 1000 ms') },
    { fixOn: 'target', title: expect.stringContaining('idle_in_transaction') },
  ]);
  const slow = await troubles(pair, 'PGG116');
  expect(slow.map((finding) => finding.title)).toEqual([
    'wal_sender_timeout is 5 s on the target',
    'wal_receiver_timeout is 1 s on the target',
  ]);
  for (const finding of [...found, ...slow]) await mend(pair, finding);
  expect(await troubles(pair, 'PGG107')).toEqual([]);
  await expect.poll(() => troubles(pair, 'PGG116')).toEqual([]);
});

test('case 13: what the server files say differently', async ({ ownServers }) => {
  const settings = {
    timezone: 'Europe/Paris',
    default_text_search_config: 'pg_catalog.german',
    search_path: '"$user", public, "My Lib"',
    work_mem: '64MB',
    shared_preload_libraries: 'pg_stat_statements, auto_explain',
    max_prepared_transactions: '30',
  };
  const other = {
    timezone: 'UTC',
    shared_preload_libraries: 'pg_stat_statements',
    max_prepared_transactions: '0',
  };
  const pair = await pairOf(ownServers, settings, other);
  const names = (await troubles(pair, 'PGG109')).map((finding) => finding.object);
  expect(names).toEqual(['TimeZone', 'default_text_search_config', 'search_path']);
  const found = [
    ...(await troubles(pair, 'PGG109')),
    ...(await troubles(pair, 'PGG114')),
    ...(await troubles(pair, 'PGG115')),
    ...(await troubles(pair, 'PGG183')),
  ];
  expect(found.map((finding) => finding.severity)).toEqual([
    'warning',
    'warning',
    'warning',
    'note',
    'warning',
    'warning',
  ]);
  for (const finding of found) await mend(pair, finding);
  await restart(pair);
  for (const id of ['PGG109', 'PGG114', 'PGG115', 'PGG183'] as const) {
    expect(await troubles(pair, id)).toEqual([]);
  }
});

test('what is stored with the database is carried over, and so no difference', async ({ ownServers }) => {
  const pair = await pairOf(ownServers);
  await run(pair.source, "ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'");
  expect(await troubles(pair, 'PGG109')).toEqual([]);
});

describe('case 34: removed settings', () => {
  test('what no list of settings shows is not gone', async ({ source, target }) => {
    const app = `${source.name}_app`;
    await source.exec(
      `CREATE ROLE ${app}; ALTER ROLE ${app} SET role = ${app}; ALTER ROLE ${app} SET seed = 0.5`,
    );
    const found = await troubles({ source, target }, 'PGG108');
    expect(found.filter(({ object }) => object === `role ${app}`)).toEqual([]);
  });

  test('of 15: in its file, and renamed', async ({ ownServers }) => {
    const pair = await pairOf(ownServers, { vacuum_defer_cleanup_age: '10' }, {});
    await run(pair.source, 'ALTER DATABASE postgres SET force_parallel_mode = off');
    const found = await troubles(pair, 'PGG108');
    expect(found).toMatchObject([
      { severity: 'warning', fix: 'ALTER DATABASE postgres RESET force_parallel_mode;' },
      { severity: 'note', object: 'vacuum_defer_cleanup_age' },
    ]);
    await mend(pair, found[0]);
    expect(await troubles(pair, 'PGG108')).toHaveLength(1);
  });

  test('stored with a role or database of 13', async ({ ownServers }) => {
    const [old, next] = await ownServers([13, 16]);
    if (!old || !next) throw new Error('two servers');
    const pair = { source: { address: old.address() }, target: { address: next.address() } };
    await run(
      pair.source,
      `CREATE ROLE "App"; ALTER ROLE "App" SET operator_precedence_warning = on;
      ALTER ROLE "App" IN DATABASE postgres SET vacuum_cleanup_index_scale_factor = 1;
      ALTER DATABASE postgres SET vacuum_cleanup_index_scale_factor = 1;
      ALTER ROLE "App" SET work_mem = '5MB'; ALTER ROLE "App" SET my.own = 'x'`,
    );
    const found = await troubles(pair, 'PGG108');
    expect(found.map((finding) => finding.object)).toEqual([
      'role App in database postgres',
      'database postgres',
      'role App',
    ]);
    for (const finding of found) await mend(pair, finding);
    expect(await troubles(pair, 'PGG108')).toEqual([]);
  });
});

test('a standby that nobody sees keeps every commit waiting', async ({ ownServers }) => {
  const pair = await pairOf(ownServers);
  await run(pair.target, "ALTER SYSTEM SET synchronous_standby_names = 'far_away'");
  await run(pair.target, 'SELECT pg_reload_conf()');
  await expect.poll(() => troubles(pair, 'PGG119')).toMatchObject([{ severity: 'blocker', fixOn: 'target' }]);
  const [finding] = await troubles(pair, 'PGG119');
  await mend(pair, finding);
  await expect.poll(() => troubles(pair, 'PGG119')).toEqual([]);
});

test('a target whose sessions are read-only', async ({ source, target }) => {
  await target.exec(`ALTER DATABASE ${target.name} SET default_transaction_read_only = on`);
  const [finding] = await troubles({ source, target }, 'PGG181');
  expect(finding).toMatchObject({ severity: 'warning', fixOn: 'target' });
  await mend({ source, target }, finding);
  expect(await troubles({ source, target }, 'PGG181')).toEqual([]);
});

describe('every version is understood', () => {
  for (const [from, to] of [
    [13, 18],
    [14, 17],
  ] as const) {
    test(`${from} to ${to}: nothing to complain of`, async ({ ownServers }) => {
      const [old, next] = await ownServers([from, to]);
      if (!old || !next) throw new Error('two servers');
      const pair = { source: { address: old.address() }, target: { address: next.address() } };
      await run(
        pair.source,
        `CREATE TABLE t (id int PRIMARY KEY, a text COLLATE "C", b int4range,
        c int GENERATED ALWAYS AS (id + 1) STORED); CREATE EXTENSION citext`,
      );
      const found = await check(pair);
      expect(found.filter(({ severity }) => severity === 'blocker' || severity === 'warning')).toEqual([]);
      expect(found.filter(({ severity }) => severity === 'ok').length).toBeGreaterThan(50);
    });
  }
});
