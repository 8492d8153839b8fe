import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('case 14: DDL on the source stops the cutover with what changed; the same on the target mends it', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)');
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await source.exec('ALTER TABLE t ADD note text');
    await expect(scene.cutover()).rejects.toMatchObject({
      code: 'schema_drift',
      exitCode: 6,
      message: expect.stringContaining('note'),
    });
    await expect(scene.verify()).rejects.toMatchObject({
      code: 'schema_differs',
      exitCode: 5,
    });
    await target.exec('ALTER TABLE t ADD note text');
    await scene.expectEqual();
    const { verification } = await scene.cutover();
    expect(verification?.equal).toBe(true);

    await target.exec('CREATE INDEX ON t (note)');
    await expect(scene.rollback()).rejects.toMatchObject({
      code: 'schema_drift',
    });
    await source.exec('CREATE INDEX ON t (note)');
    await scene.verify();
    await scene.rollback();
    await scene.abort();
  });
});

test('a password, role, membership or setting of the source that came after the sync stops the cutover, and no rollback', async ({
  source,
  target,
}) => {
  const n = source.name;
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE ${n}_rw; CREATE ROLE ${n}_app LOGIN PASSWORD 'a';
    GRANT ALL ON t TO ${n}_rw; GRANT ${n}_rw TO ${n}_app`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await source.exec(`ALTER ROLE ${n}_app PASSWORD 'rotated'; ALTER ROLE ${n}_app SET work_mem = '5MB';
      CREATE ROLE ${n}_late LOGIN IN ROLE ${n}_rw; CREATE ROLE ${n}_stranger LOGIN`);
    const refused = await scene.cutover().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'role_drift', exitCode: 6 });
    const text = JSON.stringify(refused) + String(refused);
    for (const told of [
      `CREATE ROLE ${n}_late`,
      `ALTER ROLE ${n}_app PASSWORD`,
      `GRANT ${n}_rw TO ${n}_late`,
      `ALTER ROLE ${n}_app SET work_mem`,
    ])
      expect(text).toContain(told);
    expect(text).not.toMatch(/SCRAM-SHA-256|_stranger/);

    await scene.sync();
    await scene.cutover();
    await target.exec(`ALTER ROLE ${n}_app PASSWORD 'rotated again'`);
    await scene.rollback();
    const warnings = scene.events.filter((event) => event.type === 'warning').map(({ data }) => data);
    expect(warnings).toMatchObject([
      { code: 'role_drift', message: expect.stringContaining(`ALTER ROLE ${n}_app`) },
    ]);
    expect(JSON.stringify(scene.events)).not.toContain('SCRAM-SHA-256$');
    await scene.abort();
  });
});

test('a role dropped or a membership revoked on the source since the sync stops the cutover; what is told ends that', async ({
  source,
  target,
}) => {
  const n = source.name;
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE ${n}_rw; CREATE ROLE ${n}_app LOGIN IN ROLE ${n}_rw;
    GRANT ALL ON t TO ${n}_rw; CREATE ROLE ${n}_gone LOGIN IN ROLE ${n}_rw; CREATE ROLE ${n}_stranger LOGIN`);
  await target.exec(`CREATE ROLE ${n}_own LOGIN`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await target.exec(`GRANT ${n}_rw TO ${n}_own`);
    await source.exec(`REVOKE ${n}_rw FROM ${n}_app; DROP ROLE ${n}_gone; DROP ROLE ${n}_stranger`);
    const statements = `REVOKE "${n}_rw" FROM "${n}_app"; DROP ROLE "${n}_gone"`;
    await scene.sync();
    await expect(scene.cutover()).rejects.toMatchObject({
      code: 'role_drift',
      exitCode: 6,
      message: expect.stringMatching(`: ${statements}$`),
      hint: expect.stringContaining(`: ${statements}; then`),
    });
    await target.exec(statements);
    await scene.cutover();
    await scene.rollback();
    await scene.abort();
  });
});

test('a view that both versions print differently is no drift', async ({ source, target }) => {
  await source.exec(
    `CREATE TABLE a (id int PRIMARY KEY, b int); CREATE VIEW v AS SELECT a.id, (SELECT max(b) FROM a) FROM a`,
  );
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const warnings = scene.events.filter((event) => event.type === 'warning');
    expect(warnings).toEqual([]);
    await scene.abort();
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
    await scene.sync();
    const differ = (message: string) => ({
      code: 'schema_differs',
      message: expect.stringContaining(message),
    });
    for (const [statement, named] of [
      [policy('(a AND b) OR c'), 'policies'],
      [log('audit2'), 'functions'],
    ] as const) {
      await source.exec(statement);
      await expect(scene.verify()).rejects.toMatchObject(differ(named));
      await target.exec(statement);
      await scene.expectEqual();
    }
    await scene.abort();
  });
});
