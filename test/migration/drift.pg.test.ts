import { expect } from 'vitest';
import { openSession, withScene } from '../support/migration.ts';
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

const VERIFIERS = (database: string) =>
  `SELECT rolname, rolpassword FROM pg_authid WHERE starts_with(rolname, '${database}') ORDER BY 1`;

test('a password, role, membership or setting that came to the active side since stops the switch; sync brings it', async ({
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
    const appLogin = { user: `${n}_app`, password: 'rotated' };
    const before = await openSession({ ...source.address, ...scene.proxy, ...appLogin });
    const { name } = target;
    await target.exec(`ALTER ROLE ${n}_app PASSWORD 'rotated again'; CREATE ROLE ${n}_new LOGIN PASSWORD 'n' IN ROLE ${n}_rw;
      REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO ${n}_rw, ${n}_new;
      GRANT SELECT ON t TO ${n}_new; ALTER ROLE ${n}_app SET work_mem = '9MB'; GRANT pg_create_subscription TO ${n}_app;
      GRANT SET ON PARAMETER log_statement TO ${n}_app`);
    await expect(scene.rollback()).rejects.toMatchObject({
      code: 'role_drift',
      exitCode: 6,
      message: expect.stringContaining(
        `Not on the source: CREATE ROLE ${n}_new; ALTER ROLE ${n}_app PASSWORD (verifier); GRANT ${n}_rw TO ${n}_new; GRANT CONNECT`,
      ),
    });
    // The roles come all the same: the grant that is to be made by hand needs them.
    await expect(scene.sync()).rejects.toMatchObject({ code: 'schema_differs' });
    await source.exec(`GRANT SELECT ON t TO ${n}_new`);
    await scene.sync();
    await expect(scene.rollback()).rejects.toMatchObject({
      code: 'standby_failed',
      hint: expect.stringContaining('log in anew'),
    });
    await before.end();
    await scene.rollback();
    const warnings = scene.events.filter((event) => event.type === 'warning').map(({ data }) => data);
    expect(warnings).toContainEqual(
      expect.objectContaining({
        code: 'role_drift',
        message: expect.stringMatching(
          /SET work_mem; GRANT pg_create_subscription TO .*; GRANT SET ON PARAMETER log_statement TO/,
        ),
      }),
    );
    const newLogin = { user: `${n}_new`, password: 'n' };
    const client = await openSession({ ...source.address, ...scene.proxy, ...newLogin });
    expect((await client.query('SELECT count(*)::int AS n FROM t')).rows).toEqual([{ n: 0 }]);
    await client.end();
    expect(await source.rows(VERIFIERS(`${n}_app`))).toEqual(await target.rows(VERIFIERS(`${n}_app`)));
    expect(await source.rows(VERIFIERS(`${n}_new`))).toEqual(await target.rows(VERIFIERS(`${n}_new`)));
    expect(JSON.stringify(scene.events)).not.toContain('SCRAM-SHA-256$');
    await scene.abort();
    await target.exec(`DROP OWNED BY ${n}_new; DROP ROLE ${n}_new`);
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

test('what was taken from a role on the active side since stops the switch, there and back; what is told ends that', async ({
  source,
  target,
}) => {
  const n = source.name;
  await target.exec(`CREATE ROLE ${n}_app LOGIN CREATEROLE; CREATE ROLE ${n}_own LOGIN`);
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE ${n}_rw; GRANT ALL ON t TO ${n}_rw;
    CREATE ROLE ${n}_app LOGIN CREATEDB PASSWORD 'a' IN ROLE ${n}_rw; CREATE ROLE ${n}_temp LOGIN CREATEDB PASSWORD 't' IN ROLE ${n}_rw`);
  await withScene({ source, target }, async (scene) => {
    const refuses = async (run: () => Promise<unknown>, statements: string) =>
      expect(run()).rejects.toMatchObject({
        code: 'role_drift',
        exitCode: 6,
        message: expect.stringMatching(/: /),
        facts: { statements: statements.split('; ') },
        hint: expect.stringContaining(statements),
      });
    await scene.sync();
    await target.exec(`GRANT ${n}_rw TO ${n}_own`);
    await source.exec(`ALTER ROLE ${n}_temp NOCREATEDB NOLOGIN CONNECTION LIMIT 3 VALID UNTIL '2030-01-01 00:00:00+00' PASSWORD NULL;
      ALTER ROLE ${n}_app NOCREATEDB VALID UNTIL 'infinity'`);
    const onTarget = `ALTER ROLE "${n}_temp" NOCREATEDB NOLOGIN CONNECTION LIMIT 3 VALID UNTIL '2030-01-01T00:00:00.000Z' PASSWORD NULL`;
    await refuses(scene.cutover, onTarget);
    await scene.sync();
    await refuses(scene.cutover, onTarget);
    await target.exec(onTarget);
    await scene.cutover();

    await target.exec(
      `ALTER ROLE ${n}_temp LOGIN; ALTER ROLE ${n}_app CONNECTION LIMIT 0; REVOKE ${n}_rw FROM ${n}_app`,
    );
    const onSource = `ALTER ROLE "${n}_app" CONNECTION LIMIT 0; ALTER ROLE "${n}_temp" LOGIN; REVOKE "${n}_rw" FROM "${n}_app"`;
    await refuses(scene.rollback, onSource);
    await source.exec(onSource);
    await target.exec(`DROP ROLE ${n}_temp`);
    await refuses(scene.rollback, `DROP ROLE "${n}_temp"`);
    await source.exec(`ALTER ROLE ${n}_temp NOLOGIN`);
    await scene.rollback();
    await scene.abort();
    await target.exec(`DROP ROLE ${n}_app, ${n}_own`);
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

test('what a server prints otherwise when it has read it from print (lists of varchars, EXTRACT) is no drift', async ({
  source,
  target,
}) => {
  const table = (name: string) => `
    CREATE TABLE ${name} (id int PRIMARY KEY, state varchar(9) CHECK (state IN ('a', 'b, "[]''c', upper(id::text)::varchar)));
    CREATE INDEX ${name}_open ON ${name} (id) WHERE state NOT IN ('x', 'y');
    CREATE VIEW ${name}_view AS SELECT id, extract('YEAR' FROM current_date) FROM ${name} WHERE state IN ('a', 'b') AND id = ANY ('{1,2}')`;
  await source.exec(table('early'));
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    expect(scene.events.filter((event) => event.type === 'warning')).toEqual([]);
    await source.exec(table('late'));
    await scene.sync();
    await scene.expectEqual();
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
