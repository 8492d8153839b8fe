/** A database goes from one server to the next, and later to another: each migration's record is its own. */

import { describe, expect } from 'vitest';
import { withDatabase } from '../support/fixture.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const complete = (scene: Scene, dropFence: boolean) =>
  scene.run((migration) => migration.complete({ dropFence }));

describe('the next upgrade leaves the finished one’s record, and its old server’s fence can still be lifted', () => {
  for (const [end, finish] of [
    [
      'aborted',
      async (scene: Scene) => {
        await scene.sync();
        await scene.cutover();
        await scene.rollback();
        return scene.abort();
      },
    ],
    ['aborted before it had begun', (scene: Scene) => scene.abort()],
    [
      'completed, its fence dropped',
      async (scene: Scene) => {
        await scene.sync();
        await scene.cutover();
        return complete(scene, true);
      },
    ],
  ] as const)
    test(end, async ({ source, target, ownServers }) => {
      await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
      const [newest] = await ownServers([17]);
      if (newest === undefined) throw new Error('no server');
      const server = { majorVersion: 17, address: newest.address('postgres') };
      await withDatabase(server, 'next', [], async (next) => {
        await withScene({ source, target }, async (first) => {
          await first.sync();
          await first.cutover();
          await complete(first, false);
          await withScene({ source: target, target: next }, async (second) => {
            const ended = await finish(second);
            if ('leftovers' in ended) expect(ended.leftovers).toEqual([]);
            else expect(ended.fenceKept).toBe(false);
          });
          const ours =
            "SELECT 'trigger' FROM pg_trigger WHERE tgname = 'pgglide_fence' UNION ALL SELECT 'event trigger' FROM pg_event_trigger";
          expect(await target.rows(ours)).toEqual([]);
          await target.exec('INSERT INTO t VALUES (2)');
          expect(await first.run((migration) => migration.row())).toMatchObject({ phase: 'completed' });
          await first.run((migration) => migration.report());
          await expect(source.exec('INSERT INTO t VALUES (3)')).rejects.toMatchObject({ code: '25006' });
          expect(await complete(first, true)).toEqual({ fenceKept: false });
          await source.exec('INSERT INTO t VALUES (3)');
        });
      });
    });
});
