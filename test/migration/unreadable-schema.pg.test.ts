/** A role that did not run sync, such as a monitoring log-in, may not read our own tables: said, with the GRANT. */

import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('what our schema does not show is refused with the GRANT, which is enough', async ({
  source,
  target,
}) => {
  const watcher = `${source.name}_watcher`;
  const password = 'watch';
  await source.exec('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)');
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const { settings } = scene;
    for (const side of [source, target])
      await side.exec(`CREATE ROLE ${watcher} LOGIN PASSWORD '${password}'`);
    try {
      scene.settings = {
        ...settings,
        source: { ...settings.source, user: watcher, password },
        target: { ...settings.target, user: watcher, password },
      };
      for (const [name, side] of Object.entries({ source, target })) {
        const grant = `GRANT USAGE ON SCHEMA "pgglide" TO "${watcher}"; GRANT SELECT ON ALL TABLES IN SCHEMA "pgglide" TO "${watcher}";`;
        await expect(scene.status()).rejects.toMatchObject({
          code: 'own_schema_unreadable',
          exitCode: 3,
          message: expect.stringMatching(new RegExp(`"${watcher}".*${name}`)),
          hint: expect.stringContaining(grant),
        });
        await side.exec(grant);
      }
      expect(await scene.status()).toMatchObject({ phase: 'following' });
    } finally {
      scene.settings = settings;
      await scene.abort();
      for (const side of [source, target]) await side.exec(`DROP OWNED BY ${watcher}; DROP ROLE ${watcher}`);
    }
  });
});
