import { describe, expect } from 'vitest';
import type { Database } from '../support/database.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const notCarried = async (scene: Scene): Promise<string[]> => {
  const { sections } = await scene.run((migration) => migration.plan());
  const { lines = [] } = sections.find(({ title }) => title === 'Not carried') ?? {};
  return lines.map(({ statement }) => statement);
};

describe('what is not carried is listed by plan and report, and stops nothing', () => {
  test('security labels whose provider the target has not loaded', async ({ source, target }) => {
    // No provider comes with PostgreSQL; these are the rows that SECURITY LABEL leaves.
    await source.exec(`CREATE TABLE t (id int PRIMARY KEY); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
      INSERT INTO pg_seclabel VALUES ('t'::regclass, 'pg_class'::regclass, 0, 'selinux', 'secret'),
        ('t'::regclass, 'pg_class'::regclass, 1, 'selinux', 'it''s one'), ('f()'::regprocedure, 'pg_proc'::regclass, 0, 'a "b"', 'x');
      INSERT INTO pg_shseclabel SELECT oid, 'pg_database'::regclass, 'selinux', 'y' FROM pg_database WHERE datname = current_database()`);
    await withScene({ source, target }, async (scene) => {
      const wanted = [
        'security labels of a "b": 1, because the target has not loaded this provider',
        'security labels of selinux: 2, because the target has not loaded this provider',
        'security labels of selinux: 1 on roles, tablespaces and the database: they belong to the cluster',
      ];
      expect(await notCarried(scene)).toEqual(expect.arrayContaining(wanted));
      const findings = await scene.check();
      expect(findings.filter(({ severity }) => severity === 'blocker')).toEqual([]);
      await scene.sync();
      const report = await scene.run((migration) => migration.report());
      expect(report.notCarried.map(({ object, reason }) => `${object}: ${reason}`)).toEqual(
        expect.arrayContaining(wanted),
      );
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('tablespaces: the same name is used, another is listed and its tables go to the default one', async ({
    source,
    target,
  }) => {
    const inPlace = async (side: Database, name: string) => {
      await side.exec('SET allow_in_place_tablespaces = on');
      await side.exec(`CREATE TABLESPACE ${name} LOCATION ''`);
    };
    const [common, here] = [`${source.name}_common`, `${source.name}_here`];
    await inPlace(source, common);
    await inPlace(source, here);
    await inPlace(target, common);
    await source.exec(`CREATE TABLE fast (id int PRIMARY KEY USING INDEX TABLESPACE ${here}) TABLESPACE ${common};
      INSERT INTO fast VALUES (1)`);
    await withScene({ source, target }, async (scene) => {
      expect(await notCarried(scene)).toEqual([
        `tablespace ${here}: 1 tables and indexes go to the target's default tablespace: it has none of this name that our role may use`,
      ]);
      await scene.sync();
      expect(
        await target.rows(`SELECT c.relname, t.spcname FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
          WHERE relname IN ('fast', 'fast_pkey') ORDER BY 1`),
      ).toEqual([
        { relname: 'fast', spcname: common },
        { relname: 'fast_pkey', spcname: null },
      ]);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('what lies in no schema, when only named schemas are carried', async ({ source, target }) => {
    await source.exec(`CREATE TABLE t (id int PRIMARY KEY); CREATE TYPE pair AS (a int, b int);
      CREATE FUNCTION as_pair(int) RETURNS pair LANGUAGE sql AS 'SELECT $1, $1'; CREATE CAST (int AS pair) WITH FUNCTION as_pair(int);
      CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watch ON sql_drop EXECUTE FUNCTION on_ddl();
      CREATE ACCESS METHOD "my heap" TYPE TABLE HANDLER heap_tableam_handler; CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER "far" FOREIGN DATA WRAPPER nowhere;
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC`);
    await withScene({ source, target }, async (scene) => {
      expect(await notCarried(scene)).toEqual([]);
      scene.settings = { ...scene.settings, scope: { schemas: ['public'], exclude: [] } };
      const reason = 'in no schema, and only those that scope.schemas names are carried';
      expect(await notCarried(scene)).toEqual(
        [
          'access method "my heap"',
          'cast (integer AS public.pair)',
          'default privileges of role postgres',
          'event trigger watch',
          'foreign server far',
          'foreign-data wrapper nowhere',
        ].map((object) => `${object}: ${reason}`),
      );
    });
  });

  test('roles and settings of the cluster', async ({ source, target }) => {
    const [idle, app] = [`${source.name}_idle`, `${source.name}_app`];
    await source.exec(
      `CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE ${idle}; CREATE ROLE ${app} LOGIN CREATEDB; ALTER ROLE ALL SET "app.name" = 'shop'`,
    );
    await target.exec(`CREATE ROLE ${app} LOGIN CONNECTION LIMIT 3`);
    try {
      await withScene({ source, target }, async (scene) => {
        expect(await notCarried(scene)).toEqual([
          `role ${app}: exists on the target with other attributes, and is left so: NOCREATEDB, CONNECTION LIMIT 3 there`,
          `role ${idle}: may not log in, and nothing of this database belongs or is granted to it`,
          'setting app.name of all roles: ALTER ROLE ALL belongs to the cluster: say it there if it is wanted',
        ]);
      });
    } finally {
      await source.exec('ALTER ROLE ALL RESET ALL');
      await target.exec(`DROP ROLE ${app}`);
    }
  });
});
