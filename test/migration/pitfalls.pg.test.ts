import { expect } from 'vitest';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';
import { mend, troubles } from '../support/preflight.ts';

const equal = async (scene: Scene) => await scene.expectEqual();

test('a check that reads another table fails the copy, which tells the way out', async ({
  source,
  target,
}) => {
  const pair = { source, target };
  await source.exec(`CREATE TABLE zparent (id int PRIMARY KEY);
    CREATE FUNCTION has(int) RETURNS bool STABLE LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.zparent WHERE id = $1)';
    CREATE TABLE child (id int PRIMARY KEY, p int CHECK (public.has(p)));
    INSERT INTO zparent SELECT generate_series(1, 100); INSERT INTO child SELECT g, g FROM generate_series(1, 100) g`);
  await withScene(pair, async (scene) => {
    scene.settings = { ...scene.settings, copy: { ...scene.settings.copy, jobs: 1 } };
    await expect(scene.sync()).rejects.toMatchObject({
      code: 'copy_failed',
      hint: expect.stringContaining('PGG187'),
    });
    const [finding] = await troubles(pair, 'PGG187');
    await scene.abort();
    await mend(pair, finding);
    await scene.sync();
    await source.exec('INSERT INTO zparent VALUES (101); INSERT INTO child VALUES (101, 101)');
    await equal(scene);
    await scene.abort();
  });
});

test('a worker that starts anew reads xml, arrays and names as the check’s fix has it; a validated domain stops nothing', async ({
  source,
  target,
}) => {
  const pair = { source, target };
  await source.exec(`CREATE DOMAIN d AS int; CREATE TABLE t (id int PRIMARY KEY, x xml, a int[], d d, "größe" int);
    INSERT INTO t VALUES (1, 'a<b/>c', '{1,NULL}', 1);
    ALTER DOMAIN d ADD CONSTRAINT pos CHECK (VALUE > 0) NOT VALID;
    ALTER DATABASE ${source.name} SET xmloption = 'document'; ALTER DATABASE ${source.name} SET array_nulls = off;
    ALTER DATABASE ${source.name} SET client_encoding = 'LATIN1'`);
  for (const finding of [...(await troubles(pair, 'PGG188')), ...(await troubles(pair, 'PGG189'))])
    await mend(pair, finding);
  await withScene(pair, async (scene) => {
    await scene.sync();
    await source.rows(
      'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()',
    );
    await source.exec(
      "SET array_nulls = on; INSERT INTO t VALUES (2, XMLPARSE(CONTENT 'a<c/>d'), '{NULL,2}', 2); UPDATE t SET d = 3",
    );
    await equal(scene);
    await scene.abort();
  });
});

test('changes of a table whose owner has lost rights on it are applied', async ({ source, target }) => {
  const owner = `${source.name}_own`;
  await source.exec(`CREATE ROLE ${owner}; CREATE TABLE audit (id int PRIMARY KEY, what text);
    ALTER TABLE audit OWNER TO ${owner}; REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM ${owner};
    INSERT INTO audit SELECT g, 'x' FROM generate_series(1, 3) g`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await source.exec(
      "INSERT INTO audit VALUES (4, 'y'); UPDATE audit SET what = 'z' WHERE id = 1; DELETE FROM audit WHERE id = 2",
    );
    await equal(scene);
    await scene.abort();
  });
});
