/** One of the two servers is gone for good: the other is told what to do, and gets rid of what fills its disk. */

import { expect } from 'vitest';
import { abortWithoutTarget, completeWithoutSource } from '../../src/migration/lost-server.ts';
import type { TrafficPlacement } from '../../src/traffic/traffic-placement.ts';
import { test } from '../support/fixture.ts';
import { rows } from '../support/migration.ts';
import { withTable } from '../support/own-servers.ts';

const OURS = `SELECT slot_name AS ours FROM pg_replication_slots UNION ALL SELECT pubname FROM pg_publication
  UNION ALL SELECT subname FROM pg_subscription UNION ALL SELECT tgname FROM pg_trigger WHERE tgname = 'pgglide_fence'
  UNION ALL SELECT evtname FROM pg_event_trigger UNION ALL SELECT relname FROM pg_class WHERE relname ~ '^marker_'`;

const lost = (hint: string) => ({
  code: 'server_unreachable',
  exitCode: 4,
  hint: expect.stringMatching(hint),
});

test('the source after the cutover: complete does without it, once it does not answer', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    const without = () => completeWithoutSource(scene.settings, () => undefined);
    await scene.sync();
    await scene.cutover();
    await expect(without()).rejects.toMatchObject({ code: 'server_not_lost', exitCode: 7 });
    await source.stop('immediate');
    await expect(scene.status()).rejects.toMatchObject(
      lost('target answers, is the active side .* keeps .* pgglide complete --source-lost'),
    );
    for (const _ of ['once', 'again']) await without();
    expect(await rows(target, OURS)).toEqual([]);
    expect(await rows(target, 'SELECT phase, switchover FROM pgglide.migration')).toEqual([
      { phase: 'completed', switchover: null },
    ]);
    await rows(target, 'INSERT INTO t VALUES (1)');
  });
});

test('the target before the cutover: abort does without it; not once it has taken writes', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    await scene.cutover();
    await target.stop('immediate');
    await expect(abortWithoutTarget(scene.settings)).rejects.toMatchObject({ code: 'source_fenced' });
    await target.start();
    await scene.rollback();
    await expect(abortWithoutTarget(scene.settings)).rejects.toMatchObject({ code: 'server_not_lost' });
    await target.stop('immediate');
    await expect(scene.status()).rejects.toMatchObject(
      lost('source answers and keeps .* pgglide abort --target-lost'),
    );
    for (const _ of ['once', 'again'])
      expect(await abortWithoutTarget(scene.settings)).toEqual({ leftovers: [] });
    expect(await rows(source, OURS)).toEqual([]);
    await rows(source, 'INSERT INTO t VALUES (1)');
  });
});

/** Proxies in a cluster, as far as they can be told to go. */
function placementOf(told: string[]): TrafficPlacement {
  let place: 'in' | 'out' = 'in';
  return {
    describe: () => [],
    observe: async () => ({ place, waitingFor: undefined }),
    putIn: async () => undefined,
    takeOut: async (active) => {
      told.push(active);
      place = 'out';
    },
  };
}

test('the source dies while PostgreSQL copies tables to it: the slots it had for that go, and no other’s', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    await scene.cutover();
    const [row] = (await rows(source, 'SELECT system_identifier AS id FROM pg_control_system()')) as {
      id: string;
    }[];
    const others = [`pg_1_sync_2_${row?.id}0`, `of_somebody_sync_2_${row?.id}`];
    for (const name of [`pg_1_sync_2_${row?.id}`, ...others])
      await rows(target, `SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`);
    await source.stop('immediate');
    await completeWithoutSource(scene.settings, () => undefined);
    expect(await rows(target, 'SELECT slot_name AS name FROM pg_replication_slots ORDER BY 1 DESC')).toEqual(
      others.map((name) => ({ name })),
    );
  });
});

test('proxies that we have put into a cluster go, and the application is pointed at the server that is left', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    await target.stop('immediate');
    const told: string[] = [];
    for (const _ of ['once', 'again']) await abortWithoutTarget(scene.settings, placementOf(told));
    expect(told).toEqual(['source', 'source']);
    await target.start();
    await scene.run((migration) => migration.abort());
    await scene.sync();
    await scene.cutover();
    await source.stop('immediate');
    for (const _ of ['once', 'again'])
      await completeWithoutSource(scene.settings, () => undefined, placementOf(told));
    expect(told).toEqual(['source', 'source', 'target']);
  });
});
