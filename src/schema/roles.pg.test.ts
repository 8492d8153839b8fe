import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { readRoles } from '../postgres/roles.ts';
import { ident, sql } from '../postgres/sql.ts';
import { applyRoles } from './apply-roles.ts';
import { type RolePlan, roleStatements } from './role-statements.ts';

type Sides = { readonly source: Database; readonly target: Database };

/** Only roles this database uses: other tests make roles at the same time. */
async function plan({ source, target }: Sides): Promise<RolePlan> {
  return roleStatements(await readRoles(source.connection), await readRoles(target.connection), {
    include: 'used',
  });
}

/** Roles are the cluster's, and their names begin with the source's database: take them from the target too. */
async function withoutRolesAfter({ source, target }: Sides, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    const roles = await target.connection.query<{ name: string }>(
      sql`SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, ${source.name})`,
    );
    await target.connection.script(sql`ALTER DATABASE ${ident(target.name)} OWNER TO CURRENT_USER`);
    for (const { name } of roles) await target.connection.script(sql`DROP OWNED BY ${ident(name)} CASCADE`);
    for (const { name } of roles) await target.connection.script(sql`DROP ROLE ${ident(name)}`);
  }
}

test('case 11: attributes, verifiers, memberships with their chain of grantors, comments; the second run has nothing to do', async ({
  source,
  target,
}) => {
  const n = source.name;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(`
      CREATE ROLE "${n}_Zed ""x""" LOGIN PASSWORD 'secret-canary' CONNECTION LIMIT 7 VALID UNTIL '2040-01-01 00:00:00+00' CREATEDB;
      CREATE ROLE ${n}_admin CREATEROLE; CREATE ROLE ${n}_group NOINHERIT; CREATE ROLE ${n}_member;
      GRANT ${n}_group TO ${n}_admin WITH ADMIN OPTION;
      SET ROLE ${n}_admin; GRANT ${n}_group TO ${n}_member; RESET ROLE;
      GRANT ${n}_member TO "${n}_Zed ""x""";
      GRANT pg_read_all_stats TO ${n}_admin;
      COMMENT ON ROLE ${n}_group IS 'it''s a group';
      CREATE TABLE t (a int); GRANT SELECT ON t TO "${n}_Zed ""x""", ${n}_admin`);
    const { roles } = await plan({ source, target });
    expect(roles.map(({ description }) => description).join()).not.toContain('SCRAM');
    const created: string[] = [];
    await applyRoles(target.connection, roles, async () => {
      created.push(...roles.flatMap(({ createsRole }) => createsRole ?? []));
    });
    expect(created.sort()).toEqual([`${n}_Zed "x"`, `${n}_admin`, `${n}_group`, `${n}_member`].sort());
    expect((await plan({ source, target })).roles).toEqual([]);
    const facts = `SELECT rolname, rolcreaterole, rolinherit, rolcreatedb, rolcanlogin, rolconnlimit, rolvaliduntil = '2040-01-01 00:00:00+00' AS until,
        rolpassword, shobj_description(oid, 'pg_authid') AS comment
      FROM pg_authid WHERE starts_with(rolname, '${n}') ORDER BY 1`;
    expect(await target.rows(facts)).toEqual(await source.rows(facts));
    const members = `SELECT roleid::regrole::text AS role, member::regrole::text AS member, admin_option
      FROM pg_auth_members WHERE starts_with(pg_get_userbyid(member), '${n}') ORDER BY 1, 2`;
    expect(await target.rows(members)).toEqual(await source.rows(members));
    const address = { ...target.address, user: `${n}_Zed "x"`, password: 'secret-canary' };
    await using session = await Connection.open(address, { purpose: 'test' });
    expect(await session.one(sql`SELECT pg_has_role(${`${n}_group`}, 'member') AS yes`)).toEqual({
      yes: true,
    });
  });
});

test('a role that is there already keeps its attributes and gets the password of the source', async ({
  source,
  target,
}) => {
  const app = `${source.name}_app`;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(
      `CREATE ROLE ${app} LOGIN PASSWORD 'new' CONNECTION LIMIT 5; CREATE TABLE t (); ALTER TABLE t OWNER TO ${app}`,
    );
    await target.exec(`CREATE ROLE ${app} LOGIN PASSWORD 'old' CONNECTION LIMIT 9`);
    const { roles } = await plan({ source, target });
    expect(roles.map(({ description }) => description)).toEqual([`ALTER ROLE ${app} PASSWORD (verifier)`]);
    await applyRoles(target.connection, roles);
    expect((await plan({ source, target })).roles).toEqual([]);
    const [row] = await target.rows(`SELECT rolconnlimit FROM pg_roles WHERE rolname = '${app}'`);
    expect(row).toEqual({ rolconnlimit: 9 });
  });
});

test('cases 13 and 34: settings, owner, grants, limit and comment of the database; what 16 does not know is said', async ({
  source,
  target,
}) => {
  const n = source.name;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(`
      CREATE ROLE ${n}_owner; CREATE ROLE ${n}_app LOGIN;
      ALTER DATABASE ${n} OWNER TO ${n}_owner;
      ALTER DATABASE ${n} SET search_path = "$user", public, "Odd, ""x""";
      ALTER DATABASE ${n} SET work_mem = '7MB';
      ALTER DATABASE ${n} SET force_parallel_mode = 'on';
      ALTER DATABASE ${n} SET app.tenant = 'it''s';
      ALTER ROLE ${n}_app SET statement_timeout = '5s';
      ALTER ROLE ${n}_app IN DATABASE ${n} SET TimeZone = 'Asia/Kolkata';
      ALTER ROLE ${n}_app SET search_path = '';
      REVOKE TEMPORARY ON DATABASE ${n} FROM PUBLIC;
      GRANT CREATE ON DATABASE ${n} TO ${n}_app WITH GRANT OPTION;
      GRANT SET ON PARAMETER log_min_duration_statement, force_parallel_mode TO ${n}_app;
      COMMENT ON DATABASE ${n} IS 'the shop';
      ALTER DATABASE ${n} CONNECTION LIMIT 42`);
    await using fresh = await Connection.open(source.address, { purpose: 'test' });
    const read = async () =>
      roleStatements(await readRoles(fresh), await readRoles(target.connection), { include: 'used' });
    const first = await read();
    await applyRoles(target.connection, first.roles);
    await applyRoles(target.connection, first.database);
    expect(await read()).toMatchObject({ roles: [], database: [] });
    expect(first.notCarried).toContainEqual({
      object: 'setting force_parallel_mode of the database',
      reason: 'PostgreSQL 16 does not know it',
    });
    expect(first.notCarried).toContainEqual({
      object: `GRANT SET ON PARAMETER force_parallel_mode TO ${n}_app`,
      reason: 'PostgreSQL 16 does not know it',
    });
    const settings = `SELECT coalesce(setrole::regrole::text, '') AS role, setdatabase <> 0 AS here, unnest(setconfig) AS setting
      FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase
      WHERE d.datname = current_database() OR starts_with(setrole::regrole::text, '${n}') ORDER BY 1, 2, 3`;
    const carried = (await source.rows<{ setting: string }>(settings)).filter(
      ({ setting }) => !setting.startsWith('force'),
    );
    expect(await target.rows(settings)).toEqual(carried);
    const database = `SELECT pg_get_userbyid(datdba) AS owner, datconnlimit, shobj_description(oid, 'pg_database') AS comment, datacl::text
      FROM pg_database WHERE datname = current_database()`;
    expect(await target.rows(database)).toEqual(await source.rows(database));
    await source.exec(
      `REVOKE SET ON PARAMETER log_min_duration_statement, force_parallel_mode FROM ${n}_app`,
    );
    await target.exec(`REVOKE SET ON PARAMETER log_min_duration_statement FROM ${n}_app`);
  });
});

test('a grant that two have given is one: the second run has nothing to do', async ({ source, target }) => {
  const n = source.name;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(`CREATE ROLE ${n}_app; CREATE ROLE ${n}_giver;
      GRANT CREATE ON DATABASE ${n} TO ${n}_app, ${n}_giver WITH GRANT OPTION;
      SET ROLE ${n}_giver; GRANT CREATE ON DATABASE ${n} TO ${n}_app`);
    const { roles, database } = await plan({ source, target });
    await applyRoles(target.connection, [...roles, ...database]);
    expect(await plan({ source, target })).toMatchObject({ roles: [], database: [] });
  });
});

test("a role's stored role is carried, though no list of settings shows it; what it expires at is no matter of date style", async ({
  source,
  target,
}) => {
  const n = source.name;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(`CREATE ROLE ${n}_owner;
      CREATE ROLE ${n}_app LOGIN PASSWORD 'a' IN ROLE ${n}_owner VALID UNTIL '2040-02-01 00:00:00+00';
      CREATE TABLE t (); ALTER TABLE t OWNER TO ${n}_app; ALTER ROLE ${n}_app SET role = ${n}_owner;
      ALTER DATABASE ${n} SET datestyle = 'German, DMY'; ALTER DATABASE ${n} SET timezone = 'Asia/Tokyo'`);
    await target.exec(`CREATE ROLE ${n}_mover LOGIN CREATEROLE PASSWORD 'm'`);
    const address = { ...target.address, user: `${n}_mover`, password: 'm' };
    await using mover = await Connection.open(address, { purpose: 'test' });
    await using fresh = await Connection.open(source.address, { purpose: 'test' });
    const read = async () =>
      roleStatements(await readRoles(fresh), await readRoles(mover), { include: 'used' });
    const { roles, database, notCarried } = await read();
    expect(notCarried.filter(({ object }) => object.includes('setting'))).toEqual([]);
    await applyRoles(mover, roles);
    await applyRoles(mover, database);
    expect((await read()).database).toEqual([]);
    const [row] = await target.rows(
      `SELECT rolvaliduntil = '2040-02-01 00:00:00+00' AS valid FROM pg_roles WHERE rolname = '${n}_app'`,
    );
    expect(row).toEqual({ valid: true });
    const app = { ...target.address, user: `${n}_app`, password: 'a' };
    await using session = await Connection.open(app, { purpose: 'test' });
    expect(await session.one(sql`SELECT current_user AS role`)).toEqual({ role: `${n}_owner` });
  });
});

test('case 39: without pg_authid the roles come without passwords, and it is said', async ({
  source,
  target,
}) => {
  const n = source.name;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(`CREATE ROLE ${n}_app LOGIN PASSWORD 'x'; CREATE ROLE ${n}_weak LOGIN PASSWORD 'y';
      CREATE TABLE t (); ALTER TABLE t OWNER TO ${n}_app`);
    await using weak = await Connection.open(
      { ...source.address, user: `${n}_weak`, password: 'y' },
      { purpose: 'test' },
    );
    const { roles, notCarried } = roleStatements(await readRoles(weak), await readRoles(target.connection), {
      include: 'used',
    });
    expect(roles.map(({ description }) => description)).toEqual([`CREATE ROLE ${n}_app`]);
    expect(notCarried).toContainEqual({
      object: `role ${n}_app`,
      reason: expect.stringContaining('password not carried'),
    });
  });
});

test('a target role that is no superuser gives what it may, and the rest is noted', async ({
  source,
  target,
}) => {
  const n = source.name;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(`CREATE ROLE ${n}_app LOGIN REPLICATION BYPASSRLS; CREATE ROLE ${n}_group; GRANT ${n}_group TO ${n}_app;
      CREATE TABLE t (); ALTER TABLE t OWNER TO ${n}_app`);
    await target.exec(
      `CREATE ROLE ${n}_mover LOGIN CREATEROLE PASSWORD 'm'; GRANT CREATE ON DATABASE ${target.name} TO ${n}_mover`,
    );
    const address = { ...target.address, user: `${n}_mover`, password: 'm' };
    await using mover = await Connection.open(address, { purpose: 'test' });
    const read = async () =>
      roleStatements(await readRoles(source.connection), await readRoles(mover), { include: 'used' });
    const { roles, notCarried } = await read();
    await applyRoles(mover, roles);
    expect((await read()).roles).toEqual([]);
    expect(notCarried).toContainEqual({
      object: `role ${n}_app`,
      reason: 'REPLICATION, BYPASSRLS not carried: our role on the target may not give it',
    });
    // As the schema's load gives objects to their owners.
    await mover.script(sql`CREATE SCHEMA ${ident(n)} AUTHORIZATION ${ident(`${n}_app`)}`);
  });
});

test('what our role may not change on the target is noted, not tried: passwords of others, a database of others', async ({
  source,
  target,
}) => {
  const n = source.name;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(`CREATE ROLE ${n}_boss SUPERUSER LOGIN PASSWORD 'a'; CREATE ROLE ${n}_app LOGIN PASSWORD 'a';
      ALTER DATABASE ${n} OWNER TO ${n}_app; ALTER DATABASE ${n} SET work_mem = '7MB'; CREATE TABLE t (); GRANT SELECT ON t TO ${n}_boss`);
    await target.exec(`CREATE ROLE ${n}_boss SUPERUSER LOGIN PASSWORD 'b'; CREATE ROLE ${n}_app LOGIN PASSWORD 'b';
      CREATE ROLE ${n}_mover LOGIN CREATEROLE PASSWORD 'm'; GRANT SELECT ON pg_authid TO ${n}_mover`);
    const address = { ...target.address, user: `${n}_mover`, password: 'm' };
    await using mover = await Connection.open(address, { purpose: 'test' });
    const { roles, database, notCarried } = roleStatements(
      await readRoles(source.connection),
      await readRoles(mover),
      { include: 'used' },
    );
    expect([...roles, ...database]).toEqual([]);
    for (const role of ['boss', 'app'])
      expect(notCarried).toContainEqual({
        object: `role ${n}_${role}`,
        reason: 'exists on the target with another password, which our role there may not change',
      });
    expect(notCarried).toContainEqual({
      object: 'ALTER DATABASE SET work_mem',
      reason: 'our role on the target does not own the database, postgres does',
    });
    const given = {
      object: `ALTER DATABASE OWNER TO ${n}_app`,
      reason:
        'our role on the target may not: it takes the ownership, CREATEDB and membership in the new owner',
    };
    expect(notCarried).toContainEqual(given);
    await target.exec(`ALTER DATABASE ${target.name} OWNER TO ${n}_mover`);
    const ofOwner = roleStatements(await readRoles(source.connection), await readRoles(mover));
    expect(ofOwner.notCarried).toContainEqual(given);
    expect(ofOwner.database.map(({ description }) => description)).toEqual(['ALTER DATABASE SET work_mem']);
    await applyRoles(mover, ofOwner.database);
    await target.exec(`ALTER DATABASE ${target.name} OWNER TO CURRENT_USER`);
  });
});

test('a setting that our role on the target may not store is noted, not tried', async ({
  source,
  target,
}) => {
  const n = source.name;
  await withoutRolesAfter({ source, target }, async () => {
    await source.exec(`CREATE ROLE ${n}_app LOGIN; CREATE ROLE ${n}_there LOGIN; CREATE TABLE t ();
      GRANT SELECT ON t TO ${n}_app, ${n}_there;
      ALTER DATABASE ${n} SET work_mem = '7MB'; ALTER DATABASE ${n} SET log_min_duration_statement = '1s';
      ALTER DATABASE ${n} SET log_min_messages = 'error'; ALTER DATABASE ${n} SET app.tenant = 'x';
      ALTER DATABASE ${n} SET app."Granted" = 'y'; ALTER ROLE ${n}_app SET session_preload_libraries = '';
      ALTER ROLE ${n}_app SET statement_timeout = '5s'; ALTER ROLE ${n}_there SET statement_timeout = '5s'`);
    await target.exec(`CREATE ROLE ${n}_there LOGIN; CREATE ROLE ${n}_mover LOGIN CREATEROLE PASSWORD 'm';
      CREATE ROLE ${n}_tuner; GRANT ${n}_tuner TO ${n}_mover; GRANT SET ON PARAMETER log_min_messages TO ${n}_tuner;
      GRANT SET ON PARAMETER app."Granted" TO ${n}_mover; ALTER DATABASE ${target.name} OWNER TO ${n}_mover`);
    const address = { ...target.address, user: `${n}_mover`, password: 'm' };
    await using mover = await Connection.open(address, { purpose: 'test' });
    await using fresh = await Connection.open(source.address, { purpose: 'test' });
    const read = async () =>
      roleStatements(await readRoles(fresh), await readRoles(mover), { include: 'used' });
    const { roles, database, notCarried } = await read();
    await applyRoles(mover, roles);
    await applyRoles(mover, database);
    expect((await read()).database).toEqual([]);
    expect(database.map(({ description }) => description).sort()).toEqual([
      'ALTER DATABASE SET app.Granted',
      'ALTER DATABASE SET log_min_messages',
      'ALTER DATABASE SET work_mem',
      `ALTER ROLE ${n}_app SET statement_timeout`,
    ]);
    const reason =
      'our role on the target may not set it: it takes a superuser or, from 15 on, GRANT SET ON PARAMETER';
    expect(notCarried.filter(({ object }) => / SET /.test(object))).toEqual([
      { object: 'ALTER DATABASE SET app.tenant', reason },
      { object: 'ALTER DATABASE SET log_min_duration_statement', reason },
      { object: `ALTER ROLE ${n}_app SET session_preload_libraries`, reason },
      {
        object: `ALTER ROLE ${n}_there SET statement_timeout`,
        reason: 'our role on the target may not change that role',
      },
    ]);
    await target.exec(`ALTER DATABASE ${target.name} OWNER TO CURRENT_USER`);
    await target.exec(`REVOKE SET ON PARAMETER app."Granted" FROM ${n}_mover; DROP OWNED BY ${n}_tuner`);
  });
});

test('a verifier shows neither in the log nor in an error', async ({ ownServers, source }) => {
  const [server] = await ownServers([16], {
    log_statement: 'all',
    log_min_duration_statement: '0',
  });
  if (server === undefined) throw new Error('no server');
  await source.exec(
    `CREATE ROLE ${source.name}_app LOGIN PASSWORD 'x'; CREATE TABLE t (); ALTER TABLE t OWNER TO ${source.name}_app`,
  );
  await using connection = await Connection.open(server.address(), { purpose: 'test' });
  const { roles } = roleStatements(await readRoles(source.connection), await readRoles(connection), {
    include: 'used',
  });
  const twice = [...roles, ...roles];
  const error = await applyRoles(connection, twice).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'role_statement_failed' });
  expect(JSON.stringify(error) + String(error)).not.toContain('SCRAM-SHA-256$');
  await applyRoles(connection, roles);
  await connection.script(sql`SELECT 'the end of the test'`);
  const log = () => readFileSync(server.logPath, 'utf8');
  await expect.poll(log).toContain('the end of the test');
  expect(log()).not.toMatch(/SCRAM-SHA-256|CREATE ROLE/);
});
