import { expect } from 'vitest';
import { withRoles } from '../../../test/support/both-roles.ts';
import { test } from '../../../test/support/fixture.ts';
import { schemaChanges, schemaDifferences, wholeSchema } from '../../../test/support/whole-schema.ts';
import { Connection } from '../../postgres/connection.ts';
import { classifyRestore } from '../classify-restore.ts';
import { dumpSchema } from '../dump-schema.ts';
import { restoreStage } from '../restore-stage.ts';

const EXTENSIONS =
  'CREATE EXTENSION hstore; CREATE EXTENSION postgres_fdw; CREATE EXTENSION pg_stat_statements';

test('how the server and extensions come is no difference, though versions grant different things', async ({
  source,
  target,
}) => {
  for (const side of [source, target]) await side.exec(EXTENSIONS);
  expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
});

test('grants on what the server and extensions brought are told, and arrive', async ({ source, target }) => {
  await withRoles({ source, target }, async (reader) => {
    await source.exec(EXTENSIONS);
    const before = await wholeSchema(source.connection);
    const grants = [
      ['REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC', 'language "plpgsql"', '-PUBLIC=USAGE'],
      [
        `GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO ${reader}`,
        'foreign-data wrapper "postgres_fdw"',
        `+${reader}=USAGE`,
      ],
      [`GRANT SELECT ON pg_authid TO ${reader}`, 'table "pg_catalog"."pg_authid"', `+${reader}=SELECT`],
      [
        `GRANT SELECT (subconninfo) ON pg_subscription TO ${reader}`,
        'table column "pg_catalog"."pg_subscription"."subconninfo"',
        `+${reader}=SELECT`,
      ],
      [
        `GRANT SELECT ON pg_stat_statements TO ${reader} WITH GRANT OPTION`,
        'view "public"."pg_stat_statements"',
        `+${reader}=SELECT*`,
      ],
      [
        'REVOKE EXECUTE ON FUNCTION pg_sleep(float8) FROM PUBLIC',
        'function "pg_catalog"."pg_sleep"(double precision)',
        '-PUBLIC=EXECUTE',
      ],
      [
        'REVOKE EXECUTE ON FUNCTION hstore_in(cstring) FROM PUBLIC',
        'function "public"."hstore_in"("pg_catalog"."cstring")',
        '-PUBLIC=EXECUTE',
      ],
      ['REVOKE USAGE ON TYPE hstore FROM PUBLIC', 'type "public"."hstore"', '-PUBLIC=USAGE'],
    ] as const;
    await source.exec(grants.map(([grant]) => grant).join('; '));
    const changes = schemaChanges(before, await wholeSchema(source.connection));
    const told = changes.map(({ object, is }) => [object, is]);
    expect(told.sort()).toEqual(grants.map(([, object, change]) => [object, change]).sort());
    for (const stage of classifyRestore(await dumpSchema(source.address)))
      await restoreStage({
        stage,
        connect: () => Connection.open(target.address, { purpose: 'test restore' }),
        width: 1,
        record: async () => undefined,
      });
    expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
  });
});

test('what our own role was granted, and what was granted and taken back, is nothing', async ({ source }) => {
  const before = await wholeSchema(source.connection);
  await source.exec(`GRANT EXECUTE ON FUNCTION pg_read_file(text) TO CURRENT_USER;
    GRANT SELECT ON pg_authid TO PUBLIC; REVOKE SELECT ON pg_authid FROM PUBLIC`);
  expect(schemaChanges(before, await wholeSchema(source.connection))).toEqual([]);
});

test('default privileges that leave a role nothing are told', async ({ source, target }) => {
  await withRoles({ source, target }, async (_, writer) => {
    await source.exec(
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} REVOKE ALL ON FUNCTIONS FROM ${writer}, PUBLIC`,
    );
    expect(await schemaDifferences(source.connection, target.connection)).toMatchObject([
      { class: 'default privileges', change: 'dropped', was: 'none' },
    ]);
    await target.exec(
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} REVOKE ALL ON FUNCTIONS FROM ${writer}, PUBLIC`,
    );
    expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
  });
});

test('security labels are told', async ({ source }) => {
  await source.exec('CREATE TABLE t (a int); CREATE SCHEMA s');
  const before = await wholeSchema(source.connection);
  // No provider comes with PostgreSQL; these are the rows that SECURITY LABEL leaves.
  await source.exec(`SET allow_system_table_mods = on;
    INSERT INTO pg_seclabel VALUES ('t'::regclass, 'pg_class'::regclass, 1, 'anon', 'MASKED WITH VALUE 0'),
      ('s'::regnamespace, 'pg_namespace'::regclass, 0, 'anon', 'TRUSTED')`);
  expect(schemaChanges(before, await wholeSchema(source.connection))).toMatchObject([
    { class: 'security labels', object: 'schema "s" for "anon"', is: 'TRUSTED' },
    {
      class: 'security labels',
      object: 'table column "public"."t"."a" for "anon"',
      is: 'MASKED WITH VALUE 0',
    },
  ]);
});

test('comments on what is set up anew or carried with its content are not told', async ({ source }) => {
  await source.exec('CREATE PUBLICATION others; SELECT lo_create(4711)');
  const before = await wholeSchema(source.connection);
  await source.exec("COMMENT ON PUBLICATION others IS 'x'; COMMENT ON LARGE OBJECT 4711 IS 'x'");
  expect(schemaChanges(before, await wholeSchema(source.connection))).toEqual([]);
});

test('a default of a domain is the same whatever search_path it was made with', async ({
  source,
  target,
}) => {
  await source.exec(
    'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$; CREATE DOMAIN d AS int DEFAULT f()',
  );
  await target.exec(`CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$; SET search_path = '';
    CREATE DOMAIN public.d AS int DEFAULT public.f(); RESET search_path`);
  expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
});

test('a locale that 16 writes as a language tag is the same locale', async ({ source, target }) => {
  for (const side of [source, target])
    await side.exec("CREATE COLLATION c (provider = icu, locale = 'de_DE')");
  expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
});
