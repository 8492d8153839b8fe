import { describe, expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { openSession } from '../../test/support/migration.ts';
import { ddlSign } from '../schema/ddl-sign.ts';
import { installFile } from '../state/install.ts';
import { Connection } from './connection.ts';
import { liftFenceSql, raiseFenceSql } from './fence.ts';
import {
  createEventTriggers,
  dropEventTriggers,
  forgetNotedDdl,
  isDdlNoted,
  notedUntil,
  readNotedDdl,
} from './noted-ddl.ts';
import { trusted } from './sql.ts';

type Noting = Pick<Database, 'connection' | 'exec'>;

async function noting(side: Noting): Promise<void> {
  for (let n = 1; n <= 6; n += 1) await installFile(side.connection, `side-00${n}.sql`);
  expect(await createEventTriggers(side.connection)).toBe(true);
  expect(await isDdlNoted(side.connection)).toBe(true);
}

const notedBy = async ({ connection }: Noting, scope = {}): Promise<string[]> =>
  (await readNotedDdl(connection, scope)).statements.map(({ command, object }) =>
    `${command} ${object}`.trim(),
  );

test('DDL of a role without any right on our schema is noted, with who ran what', async ({ source }) => {
  await noting(source);
  const role = `${source.name}_app`;
  await source.exec(`CREATE ROLE "${role}" LOGIN PASSWORD 'a'; CREATE SCHEMA s AUTHORIZATION "${role}"`);
  await forgetNotedDdl(source.connection, await notedUntil(source.connection));
  const app = await openSession({ ...source.address, user: role, password: 'a' });
  try {
    await app.query('CREATE TABLE s.t (id serial PRIMARY KEY, note text)');
    await app.query('ALTER TABLE s.t DROP COLUMN note');
    await app.query('CREATE TABLE s.u ()');
    await app.query('DROP TABLE s.t, s.u');
    await app.query('COMMENT ON SCHEMA s IS $$x$$');
  } finally {
    await app.end();
  }
  const { statements, total } = await readNotedDdl(source.connection, {});
  expect(statements.map(({ command, object }) => [command, object])).toEqual([
    ['CREATE TABLE', 's.t'],
    ['ALTER TABLE', 's.t'],
    ['CREATE TABLE', 's.u'],
    ['DROP TABLE', 's.t, s.u'],
    ['COMMENT', 's'],
  ]);
  expect(new Set(statements.map((statement) => statement.role))).toEqual(new Set([role]));
  expect(total).toBe(5);
  await forgetNotedDdl(source.connection, await notedUntil(source.connection));
  expect(await notedBy(source)).toEqual([]);
});

test('what is ours, temporary, an extension’s own, no change or out of the scope is not told', async ({
  source,
}) => {
  await source.exec('CREATE SCHEMA out; CREATE MATERIALIZED VIEW v AS SELECT 1');
  await noting(source);
  await source.connection.script(trusted('CREATE TABLE public.by_us (id int)'));
  await source.exec(`
    CREATE TEMP TABLE tmp (id serial PRIMARY KEY); ALTER TABLE tmp ADD note text; DROP TABLE tmp;
    CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT 1;
    REFRESH MATERIALIZED VIEW v; CREATE TABLE pgglide.mine (); DROP TABLE pgglide.mine;
    CREATE TABLE out.t (); CREATE TABLE left_out (); CREATE EXTENSION citext`);
  const scope = { schemas: ['public'], exclude: ['public.left_out'] };
  expect(await notedBy(source, scope)).toEqual(['CREATE EXTENSION citext']);
});

test('a side whose fence is raised notes nothing, until it is lifted', async ({ source }) => {
  await noting(source);
  await source.connection.script(raiseFenceSql());
  await source.exec('CREATE TABLE t ()');
  await source.connection.script(liftFenceSql());
  await source.exec('ALTER TABLE t ADD id int');
  expect(await notedBy(source)).toEqual(['ALTER TABLE public.t']);
});

test('DDL in sessions that run no triggers is noted, too', async ({ source }) => {
  await noting(source);
  await source.exec('SET session_replication_role = replica; CREATE TABLE t ()');
  expect(await notedBy(source)).toEqual(['CREATE TABLE public.t']);
});

describe('it never breaks or stops the DDL', () => {
  test('whatever fails in it', async ({ source }) => {
    await noting(source);
    await source.connection.script(trusted('DROP TABLE pgglide.noted_ddl'));
    await source.exec('CREATE TABLE t (); DROP TABLE t; CREATE TABLE t ()');
    expect(await source.rows("SELECT to_regclass('t')::text AS t")).toEqual([{ t: 't' }]);
  });

  test('whoever holds its table', async ({ source }) => {
    await noting(source);
    await using holder = await Connection.open(source.address, { purpose: 'test' });
    await holder.script(trusted('BEGIN; LOCK TABLE pgglide.noted_ddl'));
    await source.exec("SET statement_timeout = '20s'; CREATE TABLE t (); DROP TABLE t");
    await holder.script(trusted('ROLLBACK'));
    expect(await notedBy(source)).toEqual([]);
  });

  test('in serializable transactions at once', async ({ source }) => {
    await noting(source);
    const sessions = [await openSession(source.address), await openSession(source.address)];
    try {
      for (const one of sessions)
        await one.query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT FROM pg_class LIMIT 0');
      for (const [n, one] of sessions.entries()) await one.query(`CREATE TABLE t${n} ()`);
      for (const one of sessions) await one.query('COMMIT');
    } finally {
      for (const one of sessions) await one.end();
    }
    expect((await notedBy(source)).sort()).toEqual(['CREATE TABLE public.t0', 'CREATE TABLE public.t1']);
  });

  test('when somebody drops our schema by hand', async ({ source }) => {
    await noting(source);
    await source.exec('DROP SCHEMA pgglide CASCADE; CREATE TABLE t ()');
    expect(await source.rows('SELECT FROM pg_event_trigger')).toEqual([]);
  });
});

test('an ALTER TABLE looks at its own table only, however many triggers and tables came since its session’s first', async ({
  source,
}) => {
  await noting(source);
  await source.exec(`CREATE TABLE many (); CREATE TABLE t ();
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`);
  await source.connection.script(raiseFenceSql());
  const read = `SELECT relname, seq_scan FROM pg_stat_xact_sys_tables
    WHERE relname IN ('pg_class', 'pg_inherits', 'pg_trigger') AND seq_scan > 0`;
  const session = await openSession(source.address);
  try {
    // After five its plans are kept.
    for (let n = 1; n <= 8; n++) await session.query(`ALTER TABLE t ADD c${n} int`);
    await source.exec(`DO $$ BEGIN FOR n IN 1..1000 LOOP
      EXECUTE format('CREATE TRIGGER t%s AFTER TRUNCATE ON many EXECUTE FUNCTION nothing()', n); END LOOP; END $$`);
    await session.query('BEGIN; ALTER TABLE t ADD id int');
    expect((await session.query(read)).rows).toEqual([]);
    await session.query('ROLLBACK');
  } finally {
    await session.end();
  }
});

test('DDL that was rolled back a thousand times hides none that commits later', async ({ source }) => {
  await noting(source);
  const sign = () => ddlSign(source.connection, {});
  await source.exec(`DO $$ BEGIN FOR n IN 1..1005 LOOP
    BEGIN CREATE TABLE t (); RAISE EXCEPTION 'back'; EXCEPTION WHEN raise_exception THEN END; END LOOP; END $$`);
  const session = await openSession(source.address);
  try {
    for (const isSettled of [false, true]) {
      if (isSettled) await forgetNotedDdl(source.connection, await notedUntil(source.connection));
      await session.query(`BEGIN; CREATE TABLE t${isSettled} ()`);
      const before = await sign();
      await session.query('COMMIT');
      expect(await sign()).not.toBe(before);
    }
  } finally {
    await session.end();
  }
  expect(await notedBy(source)).toEqual(['CREATE TABLE public.ttrue']);
});

test('no more is noted than is read', async ({ source }) => {
  await noting(source);
  await source.exec(`DO $$ BEGIN FOR n IN 1..1005 LOOP CREATE TABLE t (); DROP TABLE t; END LOOP; END $$`);
  const count = 'SELECT count(*) AS n FROM pgglide.noted_ddl';
  expect(await source.rows(count)).toEqual([{ n: 1000 }]);
  expect((await readNotedDdl(source.connection, {})).total).toBe(1000);
  await forgetNotedDdl(source.connection, await notedUntil(source.connection));
  await source.exec('CREATE TABLE t ()');
  expect(await source.rows(count)).toEqual([{ n: 1 }]);
});

test('a publication of somebody’s for all tables sends nothing of it', async ({ source }) => {
  await noting(source);
  await source.exec('CREATE PUBLICATION everything FOR ALL TABLES');
  const published = "SELECT tablename FROM pg_publication_tables WHERE tablename = 'noted_ddl'";
  expect(await source.rows(published)).toEqual([]);
  await source.exec('CREATE TABLE t ()');
  await forgetNotedDdl(source.connection, await notedUntil(source.connection));
  expect(await notedBy(source)).toEqual([]);
});

test('a role that may not create event triggers is told so, not stopped', async ({ source }) => {
  const role = `${source.name}_mover`;
  await source.exec(`CREATE ROLE "${role}" LOGIN PASSWORD 'm';
    DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO %I', current_database(), '${role}'); END $$`);
  await using mover = await Connection.open(
    { ...source.address, user: role, password: 'm' },
    { purpose: 'test' },
  );
  for (const file of ['side-001.sql', 'side-002.sql', 'side-003.sql', 'side-004.sql'])
    await installFile(mover, file);
  expect(await createEventTriggers(mover)).toBe(false);
  expect(await isDdlNoted(mover)).toBe(false);
});

test.for([13, 18])('on %i', async (version, { ownServers }) => {
  const [server] = await ownServers([version]);
  if (server === undefined) throw new Error('no server');
  await using connection = await Connection.open(server.address('postgres'), { purpose: 'test' });
  const exec = async (text: string) => {
    const session = await openSession(server.address('postgres'));
    await session.query(text).finally(() => session.end());
  };
  const side: Noting = { connection, exec };
  await noting(side);
  await exec('CREATE TABLE t (id int PRIMARY KEY); DROP TABLE t');
  expect(await notedBy(side)).toEqual(['CREATE TABLE public.t', 'DROP TABLE public.t']);
  await dropEventTriggers(connection);
  expect(await isDdlNoted(connection)).toBe(false);
});
