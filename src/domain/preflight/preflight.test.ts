import { describe, expect, test } from 'vitest';
import {
  healthy,
  powerlessRole,
  settings,
  table,
  withObjects,
} from '../../../test/fixtures/healthy-facts.ts';
import type { Finding, RuleId } from '../finding.ts';
import { laneNames } from '../names.ts';
import type { Platform, PreflightFacts } from './facts.ts';
import { preflight, rules } from './preflight.ts';

const troubles = (facts: PreflightFacts, id?: RuleId): Finding[] =>
  preflight(facts).filter((one) => one.severity !== 'ok' && (id === undefined || one.id === id));
const { source, target } = healthy();

test('healthy servers pass every rule but the one that always speaks', () => {
  expect(troubles(healthy()).map(({ id, severity }) => [id, severity])).toEqual([['PGG125', 'note']]);
  const ids = preflight(healthy()).map((finding) => finding.id);
  expect(ids).toEqual([...ids].sort());
  expect(rules.filter(({ id }) => id < 'PGG190').map(({ id }) => id)).toEqual(ids);
});

test('a passed check says what it saw', () => {
  const title = (id: RuleId) => preflight(healthy()).find((one) => one.id === id)?.title;
  expect(title('PGG101')).toBe('wal_level = logical');
  expect(title('PGG102')).toBe('PostgreSQL 15.18 to 16.14');
  expect(title('PGG104')).toBe('10 replication slots free on the source, 10 on the target');
});

test('every finding with a fix says where to run it, and ends each line', () => {
  const spoiled = healthy({
    source: { settings: settings({ wal_level: 'replica', max_connections: '12' }), role: powerlessRole },
    target: { settings: settings({ wal_level: 'replica' }), role: powerlessRole },
  });
  for (const { fix, fixOn, id } of troubles(spoiled)) {
    if (fix === undefined) continue;
    expect(fixOn, id).toBeDefined();
    for (const line of fix.split('\n')) expect(line, id).toMatch(/;$/);
  }
});

describe('managed services take no ALTER SYSTEM and no SUPERUSER', () => {
  const on = (platform: Platform) =>
    healthy({
      source: {
        identity: { ...source.identity, platform },
        settings: settings({ wal_level: 'replica' }),
        role: powerlessRole,
      },
    });

  test.each([
    [
      'rds',
      'Set rds.logical_replication = 1 in the DB parameter group.',
      'GRANT rds_replication TO mig;',
      'GRANT rds_superuser TO mig;',
    ],
    [
      'cloudsql',
      'Set cloudsql.logical_decoding = on in the instance flags.',
      'ALTER ROLE mig REPLICATION;',
      'GRANT cloudsqlsuperuser TO mig;',
    ],
    [
      'azure',
      'Set wal_level = logical in the server parameters.',
      'ALTER ROLE mig REPLICATION;',
      'GRANT azure_pg_admin TO mig;',
    ],
  ] as const)('%s', (platform, walLevel, replicate, subscribe) => {
    const facts = on(platform);
    const [level] = troubles(facts, 'PGG101');
    expect(level?.fix).toBeUndefined();
    expect(level?.detail).toContain(walLevel);
    expect(troubles(facts, 'PGG170')).toMatchObject([{ fix: replicate, fixOn: 'source' }]);
    expect(troubles(facts, 'PGG173')).toMatchObject([{ fix: subscribe, fixOn: 'source' }]);
    expect(
      preflight(facts)
        .map(({ fix }) => fix ?? '')
        .join(),
    ).not.toMatch(/ALTER SYSTEM|SUPERUSER;/);
  });

  test('the stand-in for a superuser is no member of the owners', () => {
    const role = { ...powerlessRole, isManagedSuperuser: true, mayCreateInDatabase: true };
    const { objects } = withObjects({ ownerRoles: ['app', 'absent'] }).source;
    const roles = [{ name: 'app', canLogin: true, mayActAs: false }];
    expect(troubles(healthy({ source: { objects }, target: { role, roles } }), 'PGG175')).toMatchObject([
      { fix: 'GRANT app TO mig WITH INHERIT TRUE, SET TRUE;' },
    ]);
  });

  test('the stand-in for a superuser may subscribe', () => {
    const role = { ...powerlessRole, isManagedSuperuser: true };
    expect(troubles(healthy({ source: { role } }), 'PGG173')).toEqual([]);
  });
});

describe('servers', () => {
  test('a standby', () => {
    const isStandby = (of: typeof source.identity) => ({ ...of, isStandby: true });
    const facts = healthy({
      source: { identity: isStandby(source.identity) },
      target: { identity: isStandby(target.identity) },
    });
    expect(troubles(facts, 'PGG118')).toMatchObject([
      { severity: 'blocker', detail: 'Name its primary.' },
      { severity: 'blocker', fix: 'SELECT pg_promote();', fixOn: 'target' },
    ]);
  });

  test('clocks that differ', () => {
    const late = healthy({ target: { identity: { ...target.identity, clockOffsetMs: -61_000 } } });
    expect(troubles(late, 'PGG113')).toMatchObject([
      { severity: 'warning', title: "the target's clock is 1 min behind the source's" },
    ]);
  });

  test('same cluster when the system identifier is hidden', () => {
    const hidden = { ...source.identity, systemIdentifier: undefined };
    const facts = healthy({ source: { identity: hidden }, target: { identity: hidden } });
    expect(troubles(facts, 'PGG103')).toHaveLength(1);
  });

  test('the same major version is a note, one older than 13 a blocker', () => {
    const version = (versionNumber: number) => ({ ...source.identity, versionNumber });
    expect(troubles(healthy({ source: { identity: version(160002) } }), 'PGG102')).toMatchObject([
      { severity: 'note' },
    ]);
    expect(troubles(healthy({ source: { identity: version(120020) } }), 'PGG102')).toMatchObject([
      { severity: 'blocker' },
    ]);
  });

  test('an address that only this host can use', () => {
    const facts = healthy({ source: { identity: { ...source.identity, isLoopback: true } } });
    expect(troubles(facts, 'PGG184')).toMatchObject([
      { title: expect.stringMatching(/^the target must connect to the source/) },
    ]);
  });

  test('idle slots that 18 invalidates', () => {
    const idle = settings({ idle_replication_slot_timeout: '60' });
    expect(troubles(healthy({ target: { settings: idle } }), 'PGG128')).toMatchObject([{ fixOn: 'target' }]);
  });

  test('a database whose collation library changed', () => {
    const identity = { ...source.identity, collationVersion: '2.31', actualCollationVersion: '2.36' };
    expect(troubles(healthy({ source: { identity } }), 'PGG117')).toMatchObject([
      { fix: 'REINDEX DATABASE CONCURRENTLY shop;\nALTER DATABASE shop REFRESH COLLATION VERSION;' },
    ]);
  });

  test('locale names that differ in spelling are one locale', () => {
    const spelled = { ...target.identity, collate: 'C.utf8', ctype: 'C.utf8' };
    expect(troubles(healthy({ target: { identity: spelled } }), 'PGG106')).toEqual([]);
  });
});

describe('the barrier', () => {
  const tables = (count: number) => withObjects({ tables: Array.from({ length: count }, () => table) });
  // 64 x (100 connections + 3 + 1 + 8 + 10) = 7,808 locks.
  test.each([
    [3904, []],
    [3905, ['warning', 'warning']],
    [7809, ['blocker', 'blocker']],
  ])('with %i tables', (count, severities) => {
    expect(troubles(tables(count), 'PGG123').map(({ severity }) => severity)).toEqual(severities);
  });

  test('its fix is enough', () => {
    const [finding] = troubles(tables(7809), 'PGG123');
    const wanted = /'(\d+)'/.exec(finding?.fix ?? '')?.[1] ?? '';
    const mended = settings({ max_locks_per_transaction: wanted });
    const { objects } = tables(7809).source;
    expect(
      troubles(healthy({ source: { objects, settings: mended }, target: { settings: mended } }), 'PGG123'),
    ).toEqual([]);
  });
});

describe('replica identity', () => {
  const one = (changes: Partial<typeof table>) => withObjects({ tables: [{ ...table, ...changes }] });

  test('FULL with any whole btree index is fine for 16, not for the way back to 15', () => {
    const [index] = table.indexes;
    if (!index) throw new Error('an index');
    const facts = one({
      replicaIdentity: 'full',
      indexes: [{ ...index, isPrimary: false, isUnique: false }],
    });
    expect(troubles(facts, 'PGG135')).toMatchObject([{ severity: 'warning' }]);
    const noWayBack = preflight(facts, { wantsReverse: false }).filter(({ id }) => id === 'PGG135');
    expect(noWayBack).toMatchObject([{ severity: 'ok' }]);
  });

  test('a small table is only noted', () => {
    const facts = one({ replicaIdentity: 'full', indexes: [], estimatedRows: 10 });
    expect(troubles(facts, 'PGG135')).toMatchObject([{ severity: 'note' }]);
  });

  test('a partition is not told to take a column of its own, which the server refuses', () => {
    const root = { schema: 'public', name: 'tree' };
    const [searched] = troubles(one({ replicaIdentity: 'full', indexes: [], root }), 'PGG135');
    const [incomparable] = troubles(one({ indexes: [], incomparableColumns: ['doc'], root }), 'PGG131');
    for (const finding of [searched, incomparable]) {
      expect(finding?.detail).toContain('Give the tree of partitions a primary key');
      expect(finding).not.toHaveProperty('fix');
    }
  });

  test('an unlogged table is not published, so it needs none', () => {
    expect(troubles(one({ indexes: [], isUnlogged: true })).map(({ id }) => id)).toEqual([
      'PGG125',
      'PGG160',
    ]);
  });
});

describe('one way only', () => {
  test('asks nothing of the target that only the way back needs', () => {
    const facts = healthy({
      target: {
        settings: settings({ wal_level: 'replica', max_replication_slots: '5', max_wal_senders: '0' }),
        usage: { ...target.usage, slots: 3 },
      },
    });
    const oneWay = preflight(facts, { wantsReverse: false });
    expect(oneWay.filter(({ severity }) => severity === 'blocker')).toEqual([]);
    expect(
      preflight(facts)
        .filter(({ severity }) => severity === 'blocker')
        .map(({ id }) => id),
    ).toEqual(['PGG101', 'PGG120']);
  });
});

test('what other roles have stored hides no difference; all is set before the one reload', () => {
  const stored = (role: string | undefined, database: string | undefined, name: string) => ({
    role,
    database,
    name,
    value: 'x',
  });
  const from = settings({
    TimeZone: 'Asia/Tokyo',
    max_slot_wal_keep_size: '-1',
    work_mem: '64MB',
    wal_compression: 'on',
    max_wal_size: '4GB',
    // Without a certificate, or without such pages, a server does not start with these.
    ssl: 'on',
    huge_pages: 'on',
  });
  const to = settings({
    work_mem: '4MB',
    wal_compression: 'off',
    max_wal_size: '1GB',
    ssl: 'off',
    huge_pages: 'try',
  });
  const facts = (...storedSettings: ReturnType<typeof stored>[]) =>
    healthy({ source: { settings: from, storedSettings }, target: { settings: to } });
  const foreign = [stored('someone', undefined, 'timezone'), stored(undefined, undefined, 'timezone')];
  expect(troubles(facts(...foreign), 'PGG109')).toHaveLength(1);
  for (const own of [stored(undefined, 'shop', 'timezone'), stored('mig', 'shop', 'timezone')])
    expect(troubles(facts(own), 'PGG109')).toEqual([]);
  const [finding] = troubles(facts(), 'PGG114');
  expect(finding?.fix?.split('\n')).toEqual([
    "ALTER SYSTEM SET work_mem = '64MB';",
    "ALTER SYSTEM SET max_wal_size = '4GB';",
    "ALTER SYSTEM SET wal_compression = 'on';",
    'SELECT pg_reload_conf();',
  ]);
  expect(finding?.detail).toMatch(/the server must be restarted for max_wal_size$/);
});

test('a REPLICA trigger is not made to fire for the application', () => {
  const on = (firing: 'always' | 'replica') =>
    troubles(withObjects({ triggers: [{ table, name: 'audit', firing }] }), 'PGG145')[0]?.fix;
  expect(on('always')).toBe('ALTER TABLE public.orders ENABLE TRIGGER audit;');
  expect(on('replica')).toBe('ALTER TABLE public.orders DISABLE TRIGGER audit;');
});

test('pg_cron can be made in the one database that the target says', () => {
  const extensions = [{ name: 'pg_cron', version: '1.6', schema: 'pg_catalog', configurationTables: [] }];
  const naming = (name: string | undefined) =>
    healthy({
      source: { extensions },
      target: { settings: settings(name === undefined ? {} : { 'cron.database_name': name }) },
    });
  expect(troubles(naming('postgres'), 'PGG147')).toMatchObject([
    { severity: 'blocker', fixOn: 'target', fix: expect.stringContaining(`"cron.database_name" = 'shop'`) },
  ]);
  for (const fine of ['shop', undefined]) expect(troubles(naming(fine), 'PGG147')).toEqual([]);
});

test('extensions that work against replication', () => {
  const extension = (name: string) => ({ name, version: '1.0', schema: 'public', configurationTables: [] });
  const facts = healthy({
    source: { extensions: ['timescaledb', 'pg_cron', 'pg_repack', 'citext'].map(extension) },
    target: {
      availableExtensions: ['timescaledb', 'pg_cron', 'pg_repack', 'citext'].map((name) => ({
        name,
        defaultVersion: '1.1',
      })),
    },
  });
  expect(troubles(facts, 'PGG112').map(({ object, severity }) => [object, severity])).toEqual([
    ['timescaledb', 'blocker'],
    ['pg_cron', 'warning'],
    ['pg_repack', 'warning'],
  ]);
  expect(troubles(facts, 'PGG110')).toEqual([]);
  expect(troubles(facts, 'PGG111')).toMatchObject([{ severity: 'note' }]);
});

test('a subscription of a role that is no superuser needs a password', () => {
  const role = { ...powerlessRole, hasPassword: false };
  const found = troubles(healthy({ source: { role }, target: { role } }), 'PGG174');
  expect(found.map(({ title }) => /on the (\w+)/.exec(title)?.[1])).toEqual(['source', 'target']);
  expect(troubles(healthy({ source: { role } }), 'PGG174')).toEqual([]);
});

test('our own slots and publications of this migration are not others', () => {
  const slot = (name: string, isActive: boolean) => ({
    name,
    kind: 'logical' as const,
    database: 'shop',
    isActive,
    isTemporary: false,
    retainedBytes: 3 * 1024 ** 2,
  });
  const own = laneNames('shop', 'forward', 1).slot;
  const others = laneNames('shop 2', 'forward', 1).slot;
  const slots = [slot('debezium', true), slot('left', false), slot(own, false), slot(others, true)];
  expect(troubles(healthy({ source: { slots } }), 'PGG167')).toMatchObject([
    { object: 'debezium', severity: 'note' },
    { object: 'left', severity: 'warning', title: expect.stringContaining('holding 3 MB of WAL') },
  ]);
});

test('slots that may fill the disk are noted, and the remedy is a size', () => {
  const limit = (max_slot_wal_keep_size: string) =>
    troubles(healthy({ source: { settings: settings({ max_slot_wal_keep_size }) } }), 'PGG124');
  for (const [value, severity] of [
    ['-1', 'note'],
    ['100', 'warning'],
  ] as const)
    expect(limit(value)).toMatchObject([{ severity, fix: expect.stringContaining("'20GB'") }]);
  expect(limit('30000')).toEqual([]);
});

test('a database takes part in one migration at a time', () => {
  const own = laneNames('shop', 'forward', 1).publication;
  const other = laneNames('shop 2', 'reverse', 1).subscription;
  const subscriptions = [other, own].map((name) => ({ name, isEnabled: true, slotName: name }));
  const found = (facts: Parameters<typeof healthy>[0]) => troubles(healthy(facts), 'PGG185');
  expect(found({ source: { publications: [own, 'debezium'] } })).toEqual([]);
  expect(found({ source: { subscriptions } })).toMatchObject([
    { severity: 'blocker', title: expect.stringContaining(other) },
  ]);
  expect(found({ target: { otherMigrations: ['shop 2'] } })).toHaveLength(1);
  for (const side of ['source', 'target'] as const)
    expect(found({ [side]: { fencedTables: 3 } })).toMatchObject([
      { title: expect.stringContaining(`3 tables of the ${side}`) },
    ]);
  expect(found({ source: { fencedTables: 3 }, target: { migrationPhase: 'switched' } })).toEqual([]);
});

test('databases that move together need a link each, and the barrier locks the tables of all', () => {
  const of = (thresholds: Parameters<typeof preflight>[1]) =>
    preflight(healthy(), thresholds)
      .filter(({ severity }) => severity === 'blocker')
      .map(({ id, title }) => `${id} ${title}`);
  expect(of({ databases: 1 })).toEqual([]);
  // One lane each, and one more for a copy that is resumed; the way back needs one of each.
  expect(of({ databases: 10 })).toContain('PGG104 10 replication slots free on the source, 11 needed');
  expect(of({ databases: 10 }).some((title) => title.startsWith('PGG121'))).toBe(true);
  expect(of({ databases: 2, tablesElsewhere: 1e6 }).some((title) => title.startsWith('PGG123'))).toBe(true);
});

test('lanes need slots, senders, workers and origins each, in both directions', () => {
  const needs = (id: RuleId, thresholds: Parameters<typeof preflight>[1]) =>
    preflight(healthy(), { lanes: 50, ...thresholds })
      .filter((one) => one.id === id && one.severity !== 'ok')
      .map(({ title }) => /on the (\w+, \d+) needed/.exec(title)?.[1]);
  // The way out has one more, for a copy that is resumed; a sender holds the snapshot.
  expect(needs('PGG104', {})).toEqual(['source, 51', 'target, 50']);
  expect(needs('PGG120', {})).toEqual(['source, 52', 'target, 51']);
  for (const id of ['PGG121', 'PGG122', 'PGG127'] as const)
    expect(needs(id, {}), id).toEqual(['source, 50', 'target, 51']);
  expect(needs('PGG104', { databases: 2 })).toEqual(['source, 101', 'target, 100']);
  expect(needs('PGG104', { wantsReverse: false })).toEqual(['source, 51']);
});
