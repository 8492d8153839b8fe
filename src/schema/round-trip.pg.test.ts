import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { withRoles } from '../../test/support/both-roles.ts';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { schemaDifferences, wholeSchema } from '../../test/support/whole-schema.ts';
import { Connection } from '../postgres/connection.ts';
import { readRoles } from '../postgres/roles.ts';
import { sql, trusted } from '../postgres/sql.ts';
import { applyRoles } from './apply-roles.ts';
import { classifyRestore, type RestoreStage } from './classify-restore.ts';
import { dumpSchema } from './dump-schema.ts';
import { nativePgDumpMajor } from './native-pg-dump.ts';
import { restoreStage } from './restore-stage.ts';
import { roleStatements } from './role-statements.ts';
import type { SchemaStatement } from './statement.ts';

/** Both ways where a pg_dump is installed. */
const WAYS = ((await nativePgDumpMajor('pg_dump')) ?? 0) >= 15 ? ['pg_dump', 'wasm'] : ['wasm'];
const RICH = readFileSync(new URL('./rich-schema.test.sql', import.meta.url), 'utf8');

async function run(target: Database, stages: readonly RestoreStage[], width = 2): Promise<void> {
  for (const stage of stages) {
    await restoreStage({
      stage,
      connect: () => Connection.open(target.address, { purpose: 'test restore' }),
      width,
      record: async () => undefined,
    });
  }
}

const differences = (source: Database, target: Database) =>
  schemaDifferences(source.connection, target.connection);

test.for(WAYS)(
  'cases 6, 10, 24, 25, 35, 37, 38: a rich schema arrives on 16 as it was on 15 (%s)',
  async (pgDump, { source, target }) => {
    await withRoles({ source, target }, async (reader, writer) => {
      await source.exec(RICH.replaceAll(':reader', reader).replaceAll(':writer', writer));
      const statements = await dumpSchema(source.address, { pgDump });
      const [preData, ...rest] = classifyRestore(statements);
      await run(target, preData === undefined ? [] : [preData]);
      // As the copy does, the rows come between: some of them violate the NOT VALID constraints.
      await target.exec(`INSERT INTO public.customers (id, email, amount) OVERRIDING SYSTEM VALUE
        SELECT i, 'c' || i || '@x', i FROM generate_series(1, 50) AS i;
      INSERT INTO public.orders (customer, total) SELECT id, -1 FROM public.customers;
      INSERT INTO billing.cycle_a VALUES (1, 99);
      INSERT INTO public.by_mood SELECT (enum_range(NULL::public.mood))[1 + i % 3], i FROM generate_series(1, 30) AS i`);
      await run(target, rest);
      expect(await differences(source, target)).toEqual([]);
      expect(await target.rows('SELECT * FROM public.summary')).toEqual([{ mood: 'ok', count: 50 }]);
      await expect(target.rows('SELECT * FROM public.empty_summary')).rejects.toThrow(
        'has not been populated',
      );
    });
  },
);

test.for([
  [13, 16],
  [15, 18],
])(
  'from %i to %i the rich schema is the same, and so are the roles',
  async ([from = 0, to = 0], { ownServers }) => {
    const [old, young] = await ownServers([from, to]);
    if (old === undefined || young === undefined) throw new Error('no servers');
    await using source = await Connection.open(old.address(), { purpose: 'test' });
    await using target = await Connection.open(young.address(), { purpose: 'test' });
    await source.script(
      sql`CREATE ROLE reader; CREATE ROLE writer LOGIN PASSWORD 'x'; SET search_path = public`,
    );
    await source.script(trusted(richFor(from).replaceAll(/:(reader|writer)/g, '$1')));
    const plan = async () => roleStatements(await readRoles(source), await readRoles(target));
    await applyRoles(target, (await plan()).roles);
    for (const stage of classifyRestore(await dumpSchema(old.address(), { pgDump: 'wasm' })))
      await restoreStage({
        stage,
        connect: () => Connection.open(young.address(), { purpose: 'test' }),
        width: 2,
        record: async () => undefined,
      });
    expect(await schemaDifferences(source, target)).toEqual([]);
    expect(await plan()).toMatchObject({ roles: [], database: [] });
  },
);

/** Without what that version does not have yet. */
function richFor(majorVersion: number): string {
  const before15 = majorVersion < 15 ? RICH.replace('NULLS NOT DISTINCT ', '') : RICH;
  if (majorVersion >= 14) return before15;
  const withoutAtomic = before15.replaceAll(
    /^CREATE (?:FUNCTION .* BEGIN ATOMIC|VIEW public.uses_late_function).*\n?/gm,
    '',
  );
  return withoutAtomic.replace(', ALTER COLUMN b SET COMPRESSION pglz', '');
}

test.runIf(WAYS.length > 1)('both ways of dumping name the same statements', async ({ source, target }) => {
  await withRoles({ source, target }, async (reader, writer) => {
    await source.exec(RICH.replaceAll(':reader', reader).replaceAll(':writer', writer));
    const shape = (statements: readonly SchemaStatement[]) =>
      statements.map(({ n, section, kind, schema, name, table }) => ({
        n,
        section,
        kind,
        schema,
        name,
        table,
      }));
    const [native, wasm] = await Promise.all(
      ['pg_dump', 'wasm'].map((pgDump) => dumpSchema(source.address, { pgDump })),
    );
    expect(shape(wasm ?? [])).toEqual(shape(native ?? []));
    expect(wasm?.length).toBeGreaterThan(100);
  });
});

test('a script larger than a pipe holds arrives whole (wasm)', async ({ source }) => {
  await source.exec(
    `DO $$ BEGIN EXECUTE format('COMMENT ON SCHEMA public IS %L', repeat('long ', 1000000)); END $$`,
  );
  const statements = await dumpSchema(source.address, { pgDump: 'wasm' });
  expect(statements.find(({ kind }) => kind === 'COMMENT')?.sql).toHaveLength(5_000_033);
});

test('our own things are not dumped, nor do they show in the fingerprint', async ({ source }) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY, a int)');
  const before = await wholeSchema(source.connection);
  await source.exec(`CREATE SCHEMA pgglide; CREATE TABLE pgglide.x (); COMMENT ON TABLE pgglide.x IS 'ours';
    CREATE FUNCTION pgglide.fence() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER pgglide_fence BEFORE INSERT ON t EXECUTE FUNCTION pgglide.fence();
    CREATE INDEX pgglide_identity_1 ON t (id, a);
    CREATE PUBLICATION pgglide_p FOR TABLE t`);
  expect((await wholeSchema(source.connection)).hash).toBe(before.hash);
  const statements = await dumpSchema(source.address);
  expect(statements.filter(({ sql: text }) => text.includes('pgglide'))).toEqual([]);
  expect(statements.map(({ kind }) => kind)).toEqual(['TABLE', 'INDEX', 'CONSTRAINT']);
});

test('a scope of schemas brings their extensions, and no foreign key to what is left out', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE SCHEMA a; CREATE SCHEMA b;
    CREATE EXTENSION citext SCHEMA public;
    CREATE SCHEMA tools; CREATE EXTENSION hstore SCHEMA tools;
    CREATE TABLE p (a int, b tools.hstore);
    CREATE TABLE b.u (id int PRIMARY KEY);
    CREATE TABLE a.gone (id serial PRIMARY KEY);
    CREATE TABLE a."do.t""ted" (id int PRIMARY KEY);
    CREATE TABLE a.t (name citext, u int REFERENCES b.u, g int REFERENCES a.gone, d int REFERENCES a."do.t""ted");
    COMMENT ON CONSTRAINT t_u_fkey ON a.t IS 'goes'; COMMENT ON CONSTRAINT t_d_fkey ON a.t IS 'stays'`);
  const scope = { schemas: ['a', 'public'], exclude: ['a.gone'] };
  const statements = await dumpSchema(source.address, scope);
  await run(target, classifyRestore(statements));
  const constraints = await target.rows<{ name: string }>(
    "SELECT conname AS name FROM pg_constraint WHERE connamespace = 'a'::regnamespace ORDER BY 1",
  );
  expect(constraints.map(({ name }) => name)).toEqual(['do.t"ted_pkey', 't_d_fkey']);
  expect(
    await target.rows("SELECT description FROM pg_description WHERE description ~ '^(goes|stays)'"),
  ).toEqual([{ description: 'stays' }]);
  expect(await target.rows("SELECT FROM pg_class WHERE relname ~ '^gone'")).toEqual([]);
});

test('a timestamp default does not shift in a database with its own time zone', async ({
  source,
  target,
}) => {
  await source.exec(`ALTER DATABASE ${source.name} SET TimeZone = 'Asia/Kolkata'`);
  await source.exec(
    "CREATE TABLE t (at timestamptz DEFAULT '2024-03-10 12:00:00+00', price money DEFAULT 1234.5)",
  );
  for (const pgDump of WAYS) {
    const [statement] = await dumpSchema(source.address, { pgDump });
    expect(statement?.sql).toContain("'2024-03-10 12:00:00+00'");
  }
  await run(target, classifyRestore(await dumpSchema(source.address)));
  expect(await differences(source, target)).toEqual([]);
});

test('backslashes are not doubled where the database has standard_conforming_strings off', async ({
  source,
  target,
}) => {
  await source.exec(`ALTER DATABASE ${source.name} SET standard_conforming_strings = off`);
  await source.exec(String.raw`CREATE TABLE t (id int, v text DEFAULT E'a\\b' CHECK (v <> E'\\'));
    CREATE VIEW digits AS SELECT id FROM t WHERE v ~ E'^\\d+$';
    CREATE INDEX ON t (id) WHERE v ~ E'\\d'; COMMENT ON TABLE t IS E'c:\\x'`);
  for (const pgDump of WAYS) {
    const [statement] = await dumpSchema(source.address, { pgDump });
    expect(statement?.sql).toContain(String.raw`DEFAULT 'a\b'`);
  }
  await run(target, classifyRestore(await dumpSchema(source.address)));
  expect(await differences(source, target)).toEqual([]);
  const read = `SELECT obj_description('t'::regclass) AS comment, (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef) AS value`;
  expect(await target.rows(read)).toEqual([{ comment: String.raw`c:\x`, value: String.raw`'a\b'::text` }]);
});

test('a snapshot is dumped as it was', async ({ source }) => {
  await source.exec('CREATE TABLE before (a int)');
  await using holder = await Connection.open(source.address, { purpose: 'test' });
  await holder.script(sql`BEGIN ISOLATION LEVEL REPEATABLE READ`);
  const { snapshot } = await holder.one<{ snapshot: string }>(sql`SELECT pg_export_snapshot() AS snapshot`);
  await source.exec('CREATE TABLE after (a int)');
  for (const pgDump of WAYS) {
    const statements = await dumpSchema(source.address, { snapshot, pgDump });
    expect(statements.map(({ name }) => name)).toEqual(['before']);
  }
});

test('case 22: what pg_dump may not read is told, with its own words; reading all is enough', async ({
  source,
}) => {
  await source.exec(
    `CREATE ROLE ${source.name}_weak LOGIN PASSWORD 'weak'; CREATE TABLE t (a int); REVOKE ALL ON t FROM PUBLIC`,
  );
  const weak = { ...source.address, user: `${source.name}_weak`, password: 'weak' };
  for (const pgDump of WAYS) {
    await expect(dumpSchema(weak, { pgDump })).rejects.toMatchObject({
      code: 'schema_dump_failed',
      message: expect.stringContaining('permission denied for table t'),
    });
  }
  await source.exec(`GRANT pg_read_all_data TO ${source.name}_weak`);
  for (const pgDump of WAYS) expect(await dumpSchema(weak, { pgDump })).toHaveLength(1);
});

test('case 33: extensions of other versions are the same extensions', async ({ source, target }) => {
  await source.exec(`CREATE SCHEMA x; CREATE EXTENSION fuzzystrmatch SCHEMA x; CREATE EXTENSION cube; CREATE EXTENSION earthdistance;
    CREATE TABLE t (word text, at earth); CREATE INDEX ON t (x.soundex(word))`);
  await run(target, classifyRestore(await dumpSchema(source.address)));
  const versions = "SELECT extname, extversion FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1";
  expect(await target.rows(versions)).not.toEqual(await source.rows(versions));
  expect(await differences(source, target)).toEqual([]);
});

test('case 33: an extension that the target lacks is named, with what to do', async ({ target }) => {
  const sqlText = 'CREATE EXTENSION IF NOT EXISTS "no_such_thing" WITH SCHEMA "public";';
  const statement: SchemaStatement = {
    n: 0,
    section: 'pre-data',
    kind: 'EXTENSION',
    name: 'no_such_thing',
    sql: sqlText,
  };
  await expect(run(target, classifyRestore([statement]))).rejects.toMatchObject({
    message: expect.stringContaining('EXTENSION no_such_thing'),
    hint: expect.stringContaining('install it there'),
  });
});

test('an unusable pg_dump that was asked for is an error, not a surprise', async ({ source }) => {
  await expect(dumpSchema(source.address, { pgDump: '/no/such/pg_dump' })).rejects.toMatchObject({
    code: 'pg_dump_unusable',
  });
});

test('a dump can be given up', async ({ source }) => {
  await source.exec('CREATE TABLE t (a int)');
  await using blocker = await Connection.open(source.address, { purpose: 'test' });
  await blocker.script(sql`BEGIN; LOCK TABLE public.t`);
  for (const pgDump of WAYS) {
    const abort = new AbortController();
    const dumping = dumpSchema(source.address, { pgDump, signal: abort.signal });
    await expect
      .poll(() => source.rows("SELECT FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"), {
        timeout: 10_000,
      })
      .toHaveLength(1);
    abort.abort(new Error('enough'));
    await expect(dumping).rejects.toThrow('enough');
  }
});

test('a session that the server ends in the middle of a dump is told as such', async ({ source }) => {
  await source.exec('CREATE TABLE t (id int)');
  await using locker = await Connection.open(source.address, { purpose: 'test' });
  await locker.script(sql`BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE`);
  const dumping = dumpSchema(source.address, { pgDump: 'wasm' }).catch((error: unknown) => error);
  await expect
    .poll(
      () =>
        source.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'pgglide: schema dump' AND datname = current_database() AND wait_event_type = 'Lock'`),
      { timeout: 10_000 },
    )
    .toHaveLength(1);
  expect(await dumping).toMatchObject({
    code: 'schema_dump_failed',
    hint: expect.stringContaining('run the same command again'),
  });
});

test('100 tables', async ({ source, target }) => {
  const ddl = Array.from(
    { length: 100 },
    (_, i) => `CREATE TABLE t${i} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b text UNIQUE)`,
  );
  for (let i = 0; i < ddl.length; i += 200)
    await source.connection.script(
      trusted(`SET search_path = public; ${ddl.slice(i, i + 200).join(';')}; SET search_path = pg_catalog`),
    );
  const statements = await dumpSchema(source.address, { pgDump: 'wasm' });
  expect(statements).toHaveLength(600);
  await run(target, classifyRestore(statements));
  expect(await differences(source, target)).toEqual([]);
});
