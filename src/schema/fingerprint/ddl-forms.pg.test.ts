import { expect } from 'vitest';
import { withRoles } from '../../../test/support/both-roles.ts';
import type { Database } from '../../../test/support/database.ts';
import { test } from '../../../test/support/fixture.ts';
import { schemaChanges, schemaDifferences, wholeSchema } from '../../../test/support/whole-schema.ts';
import { Connection } from '../../postgres/connection.ts';
import { classifyRestore } from '../classify-restore.ts';
import { dumpSchema } from '../dump-schema.ts';
import { restoreStage } from '../restore-stage.ts';
import { DDL_FORMS } from './ddl-forms.test-data.ts';

/** What the forms use together. */
const COMMON = `
  CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm; CREATE EXTENSION postgres_fdw; CREATE SCHEMA s; CREATE TABLE any_table ();
  CREATE FUNCTION df(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
  CREATE ACCESS METHOD own_heap TYPE TABLE HANDLER heap_tableam_handler;
  CREATE FOREIGN DATA WRAPPER far; CREATE SERVER there FOREIGN DATA WRAPPER far`;

/** Each with an object of its own, so that all can be run before one look. */
function formsFor(reader: string, writer: string) {
  const forms = DDL_FORMS.flatMap(({ before = '', told, ddl }) =>
    ddl.map((form) => ({ before, told, ddl: form })),
  );
  return forms.map(({ before, told, ddl }, n) => {
    const own = (text: string) =>
      text
        .replaceAll(/(?<!NO)THING/g, `thing${n}`)
        .replaceAll('READER', reader)
        .replaceAll('WRITER', writer);
    return { name: `thing${n}`, before: own(before), told, ddl: own(ddl) };
  });
}

type Form = ReturnType<typeof formsFor>[number];

async function prepare(side: Database, forms: readonly Form[], writer: string): Promise<void> {
  await side.exec(`ALTER ROLE ${writer} SUPERUSER; ${COMMON}`);
  await side.exec(forms.map(({ before }) => before).join(';\n'));
}

const execute = (side: Database, forms: readonly Form[]) =>
  side.exec(forms.map(({ ddl }) => ddl).join(';\n'));

test('each form of DDL is told in the classes it concerns, and in no other', async ({ source, target }) => {
  await withRoles({ source, target }, async (reader, writer) => {
    const forms = formsFor(reader, writer);
    await prepare(source, forms, writer);
    const before = await wholeSchema(source.connection);
    await execute(source, forms);
    const changes = schemaChanges(before, await wholeSchema(source.connection));
    for (const { name, told, ddl } of forms) {
      const isOf = new RegExp(`${name}(?![0-9])`);
      const classes = new Set(
        changes.filter(({ object }) => isOf.test(object)).map((change) => change.class),
      );
      expect.soft([...classes].sort().join(', '), ddl).toBe(told);
    }
    expect(changes.filter(({ object }) => !/thing[0-9]/.test(object))).toEqual([]);
  });
});

test('each form of DDL, run on both sides, leaves them alike', async ({ source, target }) => {
  await withRoles({ source, target }, async (reader, writer) => {
    const forms = formsFor(reader, writer);
    for (const side of [source, target]) {
      await prepare(side, forms, writer);
      await execute(side, forms);
    }
    expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
  });
});

test('what each form of DDL has made arrives with a sync', async ({ source, target }) => {
  await withRoles({ source, target }, async (reader, writer) => {
    const forms = formsFor(reader, writer);
    await prepare(source, forms, writer);
    await target.exec(`ALTER ROLE ${writer} SUPERUSER`);
    await execute(source, forms);
    for (const stage of classifyRestore(await dumpSchema(source.address)))
      await restoreStage({
        stage,
        connect: () => Connection.open(target.address, { purpose: 'test restore' }),
        width: 2,
        record: async () => undefined,
      });
    expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
  });
});
