import { expect } from 'vitest';
import type { Database } from '../../../test/support/database.ts';
import { test } from '../../../test/support/fixture.ts';
import { check, factsOf, mend, type Pair, run, troubles } from '../../../test/support/preflight.ts';
import { until } from '../../base/async.ts';
import type { RuleId } from '../../domain/finding.ts';
import { SIDES } from '../../domain/names.ts';
import { Connection } from '../connection.ts';
import { sql, trusted } from '../sql.ts';

/** A login role with nothing but its password, named after the test's database. */
async function poorRole(at: Database): Promise<{ address: Database['address'] }> {
  const user = `${at.name}_mig`;
  await at.exec(`CREATE ROLE ${user} LOGIN PASSWORD 'secret'`);
  return { address: { ...at.address, user, password: 'secret' } };
}

const roles = ['PGG137', 'PGG170', 'PGG171', 'PGG172', 'PGG173', 'PGG174', 'PGG175', 'PGG176'];

/** A superuser runs the fixes of one role's findings, on the side where they belong. */
async function grantAll(
  asRole: Pair,
  asSuperuser: Pair,
  thresholds: { wantsReverse: boolean },
): Promise<RuleId[]> {
  const found = (await check(asRole, { thresholds })).filter(
    ({ id, severity }) => roles.includes(id) && severity !== 'ok',
  );
  for (const finding of found) await mend(asSuperuser, finding);
  return found.map((finding) => finding.id);
}

test('case 22: the GRANT script gives exactly what following needs', async ({ source, target }) => {
  const owner = `${source.name}_app`;
  await source.exec(`CREATE ROLE ${owner}; CREATE SCHEMA shop AUTHORIZATION ${owner};
    CREATE TABLE shop.orders (id int PRIMARY KEY); ALTER TABLE shop.orders OWNER TO ${owner};
    INSERT INTO shop.orders VALUES (1)`);
  const asRole = { source: await poorRole(source), target: await poorRole(target) };
  const oneWay = { wantsReverse: false };
  const found = await grantAll(asRole, { source, target }, oneWay);
  expect(found).toEqual(['PGG170', 'PGG171', 'PGG172', 'PGG173', 'PGG175']);
  expect(
    (await check(asRole, { thresholds: oneWay })).filter(({ severity }) => severity === 'blocker'),
  ).toEqual([]);

  await using publisher = await Connection.open(asRole.source.address, { purpose: 'publish' });
  await publisher.script(sql`CREATE PUBLICATION p FOR TABLE shop.orders`);
  expect(await publisher.query(sql`SELECT id FROM shop.orders`)).toEqual([{ id: 1 }]);
  await using subscriber = await Connection.open(asRole.target.address, { purpose: 'subscribe' });
  await subscriber.script(sql`CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY)`);
  await subscriber.script(trusted(`CREATE ROLE ${target.name}_made`));
  const { host, port, user, database } = asRole.source.address;
  await subscriber.script(
    trusted(`CREATE SUBSCRIPTION ${target.name}
      CONNECTION 'host=${host} port=${port} user=${user} password=secret dbname=${database}' PUBLICATION p`),
  );
  await until(
    'the row',
    async () => {
      const rows = await subscriber.query(sql`SELECT FROM shop.orders`);
      return rows.length === 1 ? true : undefined;
    },
    { timeoutMs: 20_000 },
  );
  await subscriber.script(trusted(`DROP SUBSCRIPTION ${target.name}`));
});

test('case 22: and what the way back needs', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
  const asRole = { source: await poorRole(source), target: await poorRole(target) };
  const found = await check(asRole);
  const finding = (id: RuleId, side: string) => found.find((one) => one.id === id && one.fixOn === side);
  expect(finding('PGG170', 'target')).toMatchObject({ blocks: 'the way back' });
  expect(finding('PGG173', 'source')?.fix).toBe(`ALTER ROLE ${source.name}_mig SUPERUSER;`);
  expect(finding('PGG173', 'target')?.fix).toBe(`GRANT pg_create_subscription TO ${target.name}_mig;`);
  await grantAll(asRole, { source, target }, { wantsReverse: true });
  expect((await check(asRole)).filter(({ severity }) => severity === 'blocker')).toEqual([]);
  for (const side of SIDES) {
    await using session = await Connection.open(asRole[side].address, { purpose: 'advance' });
    const name = `${source.name}_${side}`;
    await session.query(sql`SELECT pg_replication_origin_progress('none', false)`).catch((error: Error) => {
      expect(error.message).toContain('does not exist');
    });
    await run({ source, target }[side], `SELECT pg_replication_origin_create('${name}')`);
    await session.query(sql`SELECT pg_replication_origin_advance(${name}, '0/1')`);
    await run({ source, target }[side], `SELECT pg_replication_origin_drop('${name}')`);
  }
});

test('case 22: an owner that the target has and we are no member of', async ({ source, target }) => {
  const owner = `${target.name}_app`;
  await target.exec(`CREATE ROLE ${owner}`);
  await source.exec(
    `CREATE ROLE ${owner}; CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO ${owner}`,
  );
  try {
    const pair = { source, target: await poorRole(target) };
    const [finding] = await troubles(pair, 'PGG175');
    expect(finding?.fix).toContain(`GRANT ${owner} TO ${target.name}_mig WITH INHERIT TRUE, SET TRUE;`);
    await mend({ source, target }, finding);
    expect(await troubles(pair, 'PGG175')).toEqual([]);
  } finally {
    await source.exec(`DROP TABLE t; DROP ROLE ${owner}`);
  }
});

test('from 16 on who has made a role may grant it and no more: enough for the target, not for the source', async ({
  target: server,
}) => {
  const [owner, mover] = [`${server.name}_app`, `${server.name}_mig`];
  const asRole = await poorRole(server);
  await server.exec(`ALTER ROLE ${mover} CREATEROLE; SET ROLE ${mover}; CREATE ROLE ${owner}; RESET ROLE;
    GRANT CREATE ON DATABASE ${server.name} TO ${mover}; CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO ${owner}`);
  const pair = { source: asRole, target: asRole };
  expect(await troubles(pair, 'PGG175')).toEqual([]);
  const [finding] = await troubles(pair, 'PGG171');
  const publish = async () => {
    await using publisher = await Connection.open(asRole.address, { purpose: 'publish' });
    await publisher.script(sql`CREATE PUBLICATION p FOR TABLE public.t`);
  };
  await expect(publish()).rejects.toThrow('must be owner of table t');
  await mend(pair, finding);
  await publish();
  expect(await troubles(pair, 'PGG171')).toEqual([]);
  await server.exec(
    `REVOKE ${owner} FROM ${mover} GRANTED BY ${mover}; REVOKE ADMIN OPTION FOR ${owner} FROM ${mover}`,
  );
  expect(await troubles(pair, 'PGG175')).toHaveLength(1);
});

test('before 16 a member that does not inherit has nothing of the owner; nor of the owner of a lone sequence', async ({
  source,
  target,
}) => {
  const [owner, mover] = [`${source.name}_app`, `${source.name}_mig`];
  const pair = { source: await poorRole(source), target };
  await source.exec(`CREATE ROLE ${owner}; CREATE SEQUENCE s; ALTER SEQUENCE s OWNER TO ${owner}`);
  expect(await troubles(pair, 'PGG171')).toMatchObject([{ title: expect.stringContaining(owner) }]);
  await source.exec(
    `GRANT CREATE ON DATABASE ${source.name} TO ${mover}; GRANT ${owner} TO ${mover}; ALTER ROLE ${mover} NOINHERIT`,
  );
  const [finding] = await troubles(pair, 'PGG171');
  expect(finding?.fix).toContain(`ALTER ROLE ${mover} INHERIT;`);
  await mend({ source, target }, finding);
  expect(await troubles(pair, 'PGG171')).toEqual([]);
});

test('who owns only a type, an operator, a foreign server or a large object is an owner, and who passed a grant on is as good', async ({
  source,
  target,
}) => {
  const role = (what: string) => `${source.name}_${what}`;
  const kinds = ['domain', 'enum', 'operator', 'server', 'lo'];
  await source.exec(`${kinds.map((kind) => `CREATE ROLE ${role(kind)};`).join(' ')}
    CREATE ROLE ${role('publication')} SUPERUSER; CREATE ROLE ${role('hidden')};
    CREATE DOMAIN d AS int; ALTER DOMAIN d OWNER TO ${role('domain')};
    CREATE TYPE e AS ENUM ('a'); ALTER TYPE e OWNER TO ${role('enum')};
    CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq);
    ALTER OPERATOR === (int, int) OWNER TO ${role('operator')};
    CREATE FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN DATA WRAPPER w TO ${role('server')};
    CREATE SERVER s FOREIGN DATA WRAPPER w; ALTER SERVER s OWNER TO ${role('server')};
    SELECT lo_create(4711); ALTER LARGE OBJECT 4711 OWNER TO ${role('lo')};
    CREATE PUBLICATION p; ALTER PUBLICATION p OWNER TO ${role('publication')};
    CREATE ROLE ${role('deputy')}; CREATE TABLE t (a int); GRANT SELECT (a) ON t TO ${role('deputy')} WITH GRANT OPTION;
    SET ROLE ${role('deputy')}; GRANT SELECT (a) ON t TO ${role('enum')}; RESET ROLE;
    CREATE SCHEMA hidden; CREATE DOMAIN hidden.d AS int; ALTER DOMAIN hidden.d OWNER TO ${role('hidden')}`);
  const owners = async (scope = {}) =>
    (await factsOf({ source, target }, scope)).source.objects.ownerRoles.filter((name) =>
      name.startsWith(source.name),
    );
  expect(await owners()).toEqual([...kinds, 'deputy', 'hidden'].map(role).sort());
  expect(await owners({ schemas: ['public'] })).toEqual(
    ['deputy', 'domain', 'enum', 'operator'].map(role).sort(),
  );
  await source.exec('SELECT lo_unlink(4711)');
});

test('case 1: row-level security would hide rows', async ({ source, target }) => {
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10);
    ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY p ON t FOR SELECT USING (id <= 3);
    GRANT SELECT ON t TO public`);
  const asRole = { source: await poorRole(source), target: await poorRole(target) };
  const found = await troubles(asRole, 'PGG137');
  expect(found.map(({ fixOn, blocks }) => [fixOn, blocks])).toEqual([
    ['source', 'a complete copy'],
    ['target', 'applying changes'],
  ]);
  const count = async () => {
    await using session = await Connection.open(asRole.source.address, { purpose: 'read' });
    return await session.query(sql`SELECT count(*) AS n FROM public.t`);
  };
  await expect(count()).rejects.toThrow('row-level security');
  for (const finding of found) await mend({ source, target }, finding);
  expect(await troubles(asRole, 'PGG137')).toEqual([]);
  expect(await count()).toEqual([{ n: 10 }]);
});

test('row-level security that is not forced does not bind who is a member of the owner', async ({
  source,
  target,
}) => {
  const owner = `${source.name}_app`;
  await source.exec(`CREATE ROLE ${owner}; CREATE TABLE t (id int PRIMARY KEY);
    ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t OWNER TO ${owner}`);
  const asRole = { source: await poorRole(source), target: await poorRole(target) };
  expect((await troubles(asRole, 'PGG137')).map(({ fixOn }) => fixOn)).toEqual(['source']);
  await source.exec(`GRANT ${owner} TO ${source.name}_mig`);
  expect(await troubles(asRole, 'PGG137')).toEqual([]);
});

test('before 14 no grant lets a role move a replication origin', async ({ ownServers, target }) => {
  const [old] = await ownServers([13]);
  if (old === undefined) throw new Error('no server');
  const asAdmin = { source: { address: old.address() }, target };
  await run(asAdmin.source, `CREATE ROLE mig LOGIN PASSWORD 'm'`);
  for (const text of ['advance(text, pg_lsn)', 'progress(text, boolean)'])
    await run(asAdmin.source, `GRANT EXECUTE ON FUNCTION pg_replication_origin_${text} TO mig`);
  const pair = { source: { address: { ...old.address(), user: 'mig', password: 'm' } }, target };
  const [finding, ...more] = await troubles(pair, 'PGG176');
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ fixOn: 'source', fix: 'ALTER ROLE mig SUPERUSER;' });
  await mend(asAdmin, finding);
  expect(await troubles(pair, 'PGG176')).toEqual([]);
});

test('what may not be seen is said, never guessed', async ({ source, target }) => {
  const asRole = { source: await poorRole(source), target: await poorRole(target) };
  const blind = await troubles(asRole, 'PGG151');
  expect(blind.map(({ fixOn }) => fixOn)).toEqual(['source', 'target']);
  for (const finding of blind) {
    expect(finding).toMatchObject({ severity: 'warning', title: expect.stringContaining('could not look') });
    await mend({ source, target }, finding);
  }
  expect(await troubles(asRole, 'PGG151')).toEqual([]);
});

test('case 39: passwords that nobody can read, and md5 ones', async ({ source, target }) => {
  const asRole = { source: await poorRole(source), target };
  await source.exec(`SET password_encryption = md5; CREATE ROLE ${source.name}_old LOGIN PASSWORD 'x'`);
  const [hidden] = await troubles(asRole, 'PGG177');
  expect(hidden).toMatchObject({ severity: 'warning', fixOn: 'source' });
  await mend({ source, target }, hidden);
  expect(await troubles(asRole, 'PGG177')).toEqual([]);
  const [md5] = await troubles(asRole, 'PGG178');
  expect(md5?.title).toContain(`${source.name}_old`);
  await source.exec(`SET password_encryption = 'scram-sha-256'; ALTER ROLE ${source.name}_old PASSWORD 'x'`);
  expect((await troubles(asRole, 'PGG178')).map(({ title }) => title).join()).not.toContain(
    `${source.name}_old`,
  );
});

test('case 39: grants on parameters are repeated on the target', async ({ source, target }) => {
  const role = `${target.name}_tuner`;
  await target.exec(`CREATE ROLE ${role}`);
  await source.exec(
    `CREATE ROLE ${role}; GRANT SET ON PARAMETER log_min_duration_statement, force_parallel_mode TO ${role}`,
  );
  try {
    const mine = async () =>
      (await troubles({ source, target }, 'PGG179')).filter(({ object }) => object === `role ${role}`);
    const [finding] = await mine();
    expect(finding?.fix).toBe(`GRANT SET ON PARAMETER log_min_duration_statement TO ${role};`);
    await mend({ source, target }, finding);
    // 16 does not know the other one.
    expect(await mine()).toEqual([]);
  } finally {
    await source.exec(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

test('roles that sync will make, and tablespaces that the target lacks', async ({ ownServers }) => {
  const [old, next] = await ownServers([15, 16]);
  if (!old || !next) throw new Error('two servers');
  const pair = { source: { address: old.address() }, target: { address: next.address() } };
  const space = async (at: { address: Database['address'] }) => {
    await using session = await Connection.open(at.address, { purpose: 'tablespace' });
    await session.script(sql`SET allow_in_place_tablespaces = on`);
    await session.script(sql`CREATE TABLESPACE "Fast" LOCATION ''`);
  };
  await space(pair.source);
  await run(
    pair.source,
    'CREATE ROLE shop; CREATE TABLE t (id int PRIMARY KEY) TABLESPACE "Fast"; ALTER TABLE t OWNER TO shop',
  );
  expect(await troubles(pair, 'PGG182')).toMatchObject([
    { severity: 'note', title: expect.stringContaining('shop') },
  ]);
  expect(await troubles(pair, 'PGG168')).toMatchObject([{ severity: 'warning', object: 'Fast' }]);
  await space(pair.target);
  await run(pair.target, 'CREATE ROLE shop');
  expect(await troubles(pair, 'PGG168')).toEqual([]);
  expect(await troubles(pair, 'PGG182')).toEqual([]);
});
