import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { mend } from '../../../test/support/preflight.ts';
import { dumpSchema } from '../../schema/dump-schema.ts';
import { tryInScratchDatabase } from './scratch.ts';

const STATEMENTS = [
  {
    kind: 'TABLE',
    name: 'a',
    sql: 'CREATE TABLE public.a (id int PRIMARY KEY);\nALTER TABLE public.a OWNER TO "not ""there";',
  },
  { kind: 'VIEW', name: 'v', sql: 'CREATE VIEW public.v AS SELECT no_such_function(id) FROM public.a;' },
  { kind: 'ACL', name: 'TABLE a', sql: 'GRANT SELECT ON public.a TO nobody_yet;' },
  { kind: 'POLICY', name: 'a p', sql: 'CREATE POLICY p ON public.a TO nobody_yet USING (true);' },
  {
    kind: 'FUNCTION',
    name: 'f()',
    sql: "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT id FROM public.later';",
  },
  { kind: 'TABLE', name: 'b', sql: 'CREATE TABLE public.b (id int REFERENCES public.a);' },
];
const scratchDatabasesOf = (role: string) =>
  `SELECT datname FROM pg_database WHERE starts_with(datname, 'pgglide_scratch_') AND datdba = '${role}'::regrole`;

test('what does not load is named, the rest loads, and nothing is left', async ({ source, target }) => {
  const role = `${target.name}_try`;
  await target.exec(`CREATE ROLE ${role} LOGIN PASSWORD 'x' CREATEDB`);
  const address = { ...target.address, user: role, password: 'x' };
  const found = await tryInScratchDatabase(address, STATEMENTS);
  expect(found).toMatchObject([
    {
      id: 'PGG190',
      severity: 'blocker',
      object: 'VIEW v',
      title: expect.stringContaining('function no_such_function(integer) does not exist'),
    },
  ]);
  expect(await target.rows(scratchDatabasesOf(role))).toEqual([]);
  expect(await target.rows("SELECT FROM pg_class WHERE relname = 'a'")).toEqual([]);
  expect(await tryInScratchDatabase(source.address, STATEMENTS.slice(0, 1))).toEqual([]);
});

test('an extension that only one database may have is not tried, nor is what is built on it', async ({
  target,
}) => {
  const found = await tryInScratchDatabase(target.address, [
    {
      kind: 'EXTENSION',
      name: 'pg_cron',
      sql: 'CREATE EXTENSION IF NOT EXISTS pg_cron WITH SCHEMA pg_catalog;',
    },
    { kind: 'VIEW', name: 'jobs', sql: 'CREATE VIEW public.jobs AS SELECT jobid FROM cron.job;' },
    { kind: 'EXTENSION', name: 'no_such', sql: 'CREATE EXTENSION no_such;' },
  ]);
  expect(found).toMatchObject([{ id: 'PGG190', object: 'EXTENSION no_such' }]);
});

test('what fails for one cause is one finding, which names all of it', async ({ target }) => {
  const ofLibrary = (name: string) => ({
    kind: 'FUNCTION',
    name,
    sql: `CREATE FUNCTION public.${name}() RETURNS int LANGUAGE c AS '$libdir/no_such_library', '${name}';`,
  });
  const own = { kind: 'EXTENSION', name: 'no_such', sql: 'CREATE EXTENSION no_such;' };
  const found = await tryInScratchDatabase(target.address, [ofLibrary('f'), own, ofLibrary('g')]);
  expect(found).toMatchObject([
    {
      id: 'PGG190',
      object: 'FUNCTION f',
      title: expect.stringMatching(/^FUNCTION f, FUNCTION g do not load on the target: .*no_such_library/),
    },
    { id: 'PGG190', object: 'EXTENSION no_such' },
  ]);
});

test('a role that may not make a database is told how it may', async ({ source, target }) => {
  await target.exec(`CREATE ROLE ${target.name}_poor LOGIN PASSWORD 'x'`);
  const address = { ...target.address, user: `${target.name}_poor`, password: 'x' };
  const [finding] = await tryInScratchDatabase(address, STATEMENTS);
  expect(finding).toMatchObject({ id: 'PGG191', severity: 'warning', fixOn: 'target' });
  await mend({ source, target }, finding);
  expect(await tryInScratchDatabase(address, [])).toEqual([]);
});

test('the scratch database has the encoding and locale of the one it stands for', async ({ target }) => {
  const address = { ...target.address, database: `${target.name}_icu` };
  await target.exec(`CREATE DATABASE ${address.database} TEMPLATE template0 ENCODING UTF8
    LOCALE_PROVIDER icu ICU_LOCALE 'sv' LOCALE 'C'`);
  try {
    const order = (text: string) => [
      { kind: 'DO', name: 'order', sql: `DO $$ BEGIN ASSERT ${text}; END $$` },
    ];
    expect(await tryInScratchDatabase(address, order(`'ö' > 'z' AND 'z' > 'A'`))).toEqual([]);
    const plain = { ...address, database: target.name };
    expect(await tryInScratchDatabase(plain, order(`'a' < 'B'`))).toHaveLength(1);
  } finally {
    await target.exec(`DROP DATABASE ${address.database} WITH (FORCE)`);
  }
});

test('a rich schema of 15 loads on 16, whose roles sync would make first', async ({ source, target }) => {
  const [reader, writer] = [`${source.name}_reader`, `${source.name}_writer`];
  const rich = readFileSync(new URL('../../schema/rich-schema.test.sql', import.meta.url), 'utf8');
  await source.exec(`CREATE ROLE ${reader}; CREATE ROLE ${writer}`);
  await source.exec(rich.replaceAll(':reader', reader).replaceAll(':writer', writer));
  await source.exec(`ALTER TABLE public.customers OWNER TO ${writer}`);
  const statements = await dumpSchema(source.address, { pgDump: 'wasm' });
  expect(statements.length).toBeGreaterThan(30);
  expect(await tryInScratchDatabase(target.address, statements)).toEqual([]);
});

test('partitions that differ only in their bounds and names load in the order of the dump', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE public.event (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE public.event_1 PARTITION OF public.event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE public.event_2 PARTITION OF public.event DEFAULT`);
  const statements = await dumpSchema(source.address);
  expect(await tryInScratchDatabase(target.address, statements)).toEqual([]);
});

test('a load that has no time says how far it came', async ({ target }) => {
  expect(await tryInScratchDatabase(target.address, STATEMENTS, { budgetMs: -1 })).toMatchObject([
    { id: 'PGG192', severity: 'note', title: expect.stringContaining('0 of 5') },
  ]);
  const stop = AbortSignal.abort(new Error('stop'));
  await expect(tryInScratchDatabase(target.address, STATEMENTS, { signal: stop })).rejects.toThrow('stop');
});
