/** The tool is renewed in the middle of a migration. */

import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** As a version before left it, which kept each side's schema in one value and noted nothing of roles and objects. */
const OLDER = `
  DELETE FROM pgglide.installed WHERE file >= 'state-004.sql';
  ALTER TABLE pgglide.schema_record ADD COLUMN objects jsonb;
  UPDATE pgglide.schema_record r SET objects = jsonb_build_object('hash', r.hash, 'classes',
    (SELECT jsonb_object_agg(c.class, c.objects) FROM pgglide.schema_class c WHERE c.side = r.side));
  ALTER TABLE pgglide.schema_record DROP COLUMN hash;
  DROP TABLE pgglide.schema_class, pgglide.role_record, pgglide.brought_object`;

test('verify, cutover and rollback go on with what an older version has begun', async ({
  source,
  target,
}) => {
  await withScene({ source, target }, async (scene) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)');
    await scene.sync();
    for (const command of ['verify', 'cutover', 'rollback'] as const) {
      await target.exec(OLDER);
      await scene[command]();
      expect(await target.rows('SELECT DISTINCT side FROM pgglide.schema_class ORDER BY 1')).toEqual([
        { side: 'source' },
        { side: 'target' },
      ]);
    }
    await scene.abort();
  });
});
