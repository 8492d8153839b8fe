/** A configuration whose ends were changed between two commands: refused, and the migration goes on where it was. */

import { expect } from 'vitest';
import { withDatabase } from '../support/fixture.ts';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('another target, and source and target exchanged', async ({ source, target, pair }) => {
  const { targetServer } = pair;
  const server = { majorVersion: targetServer.majorVersion, address: targetServer.address('postgres') };
  await source.exec('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)');
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const right = scene.settings;

    await withDatabase(server, 'elsewhere', [], async ({ address }) => {
      scene.settings = { ...right, target: address, sourceForTarget: right.source, targetForSource: address };
      // Nobody uses the slot at this moment, as while that target is started again.
      await target.exec(`ALTER SUBSCRIPTION ${await subscription()} DISABLE`);
      const refused = {
        code: 'other_target',
        exitCode: 3,
        hint: expect.stringContaining('DROP PUBLICATION'),
      };
      await expect(scene.sync()).rejects.toMatchObject(refused);
      await expect(scene.abort()).rejects.toMatchObject(refused);

      // One that was dropped and made anew has another OID, and what stands for the old one is a left-over.
      await source.exec(
        `COMMENT ON PUBLICATION ${await subscription()} IS 'leads to ${await cluster()}/4294967295'`,
      );
      expect(await scene.status()).toMatchObject({ phase: 'new' });
    });

    scene.settings = { ...right, source: right.target, target: right.source };
    const refused = { code: 'sides_swapped', exitCode: 3 };
    await expect(scene.check()).rejects.toMatchObject(refused);
    await expect(scene.abort()).rejects.toMatchObject(refused);

    scene.settings = right;
    await target.exec(`ALTER SUBSCRIPTION ${await subscription()} ENABLE`);
    await scene.expectEqual();
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });

  async function cluster(): Promise<string> {
    const [row] = await target.rows<{ id: string }>(
      'SELECT system_identifier::text AS id FROM pg_control_system()',
    );
    return row?.id ?? '';
  }

  async function subscription(): Promise<string> {
    const [row] = await target.rows<{ name: string }>('SELECT subname AS name FROM pg_subscription');
    return row?.name ?? '';
  }
});
