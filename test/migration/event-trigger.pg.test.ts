import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('an event trigger that refuses our DDL is named, with the statement that disables it', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);
    CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no ddl for you''; END';
    CREATE EVENT TRIGGER "No DDL" ON ddl_command_end EXECUTE FUNCTION no()`);
  const refusal = {
    code: 'event_trigger_refused',
    exitCode: 3,
    message: expect.stringMatching(/"No DDL".* source.*no ddl for you/),
    hint: expect.stringContaining('ALTER EVENT TRIGGER "No DDL" DISABLE;'),
  };
  await withScene({ source, target }, async (scene) => {
    await expect(scene.sync()).rejects.toMatchObject(refusal);
    await source.exec('ALTER EVENT TRIGGER "No DDL" DISABLE');
    await scene.sync();
    await source.exec('ALTER EVENT TRIGGER "No DDL" ENABLE');
    await expect(scene.abort()).rejects.toMatchObject(refusal);
    await source.exec('ALTER EVENT TRIGGER "No DDL" DISABLE');
    await scene.abort();
  });
});
