import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('case 14: DDL on the source stops the cutover with what changed; the same on the target mends it', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)');
  await withScene({ source, target }, async (scene) => {
    await scene.run((migration) => migration.sync());
    await source.exec('ALTER TABLE t ADD note text');
    await expect(scene.run((migration) => migration.cutover())).rejects.toMatchObject({
      code: 'schema_drift',
      exitCode: 6,
      message: expect.stringContaining('note'),
    });
    await expect(scene.run((migration) => migration.verify())).rejects.toMatchObject({
      code: 'schema_differs',
      exitCode: 5,
    });
    await target.exec('ALTER TABLE t ADD note text');
    expect((await scene.run((migration) => migration.verify())).summary.equal).toBe(true);
    const { verification } = await scene.run((migration) => migration.cutover());
    expect(verification?.equal).toBe(true);

    await target.exec('CREATE INDEX ON t (note)');
    await expect(scene.run((migration) => migration.rollback())).rejects.toMatchObject({
      code: 'schema_drift',
    });
    await source.exec('CREATE INDEX ON t (note)');
    await scene.run((migration) => migration.verify());
    await scene.run((migration) => migration.rollback());
    await scene.run((migration) => migration.abort());
  });
});

test('a view that both versions print differently is no drift', async ({ source, target }) => {
  await source.exec(
    `CREATE TABLE a (id int PRIMARY KEY, b int); CREATE VIEW v AS SELECT a.id, (SELECT max(b) FROM a) FROM a`,
  );
  await withScene({ source, target }, async (scene) => {
    await scene.run((migration) => migration.sync());
    const warnings = scene.events.filter((event) => event.type === 'warning');
    expect(warnings).toEqual([]);
    await scene.run((migration) => migration.abort());
  });
});

test('what only the parentheses tell apart is no agreement when one side has changed', async ({
  source,
  target,
}) => {
  const policy = (condition: string) =>
    `DROP POLICY IF EXISTS p ON t; CREATE POLICY p ON t USING (${condition})`;
  const log = (schema: string) => `CREATE OR REPLACE FUNCTION log() RETURNS void LANGUAGE plpgsql
    AS 'BEGIN INSERT INTO "${schema}"."log" DEFAULT VALUES; END'`;
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY, a bool, b bool, c bool); ${log('audit')};
    ${policy('a AND (b OR c)')}`);
  await withScene({ source, target }, async (scene) => {
    await scene.run((migration) => migration.sync());
    const differ = (message: string) => ({
      code: 'schema_differs',
      message: expect.stringContaining(message),
    });
    for (const [statement, named] of [
      [policy('(a AND b) OR c'), 'policies'],
      [log('audit2'), 'functions'],
    ] as const) {
      await source.exec(statement);
      await expect(scene.run((migration) => migration.verify())).rejects.toMatchObject(differ(named));
      await target.exec(statement);
      expect((await scene.run((migration) => migration.verify())).summary.equal).toBe(true);
    }
    await scene.run((migration) => migration.abort());
  });
});
