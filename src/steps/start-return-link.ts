import { randomUUID } from 'node:crypto';
import { until } from '../base/async.ts';
import { ReplicationError } from '../domain/errors.ts';
import { LOST_SLOT, LOST_SLOT_HINT } from '../domain/lost-slot.ts';
import { type LaneNames, linkFrom } from '../domain/names.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { existingLanes } from '../postgres/lane.ts';
import { noteLane } from '../postgres/lane-note.ts';
import { lostLanes } from '../postgres/lost-lane.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';
import { enableSubscriptionSql, subscriptionState } from '../postgres/subscription.ts';

const WORKER_GONE_MS = 30_000;
const FIRST_MARKER_MS = 60_000;

/**
 * Enables the way back, once the worker of the other direction is gone: never both at once. Waits until a marker
 * has made the way; from then on a rollback loses nothing. A slot that nobody read since the commit point may be lost by now:
 * then no way back will ever run, which is told, and the switch ends without one.
 *
 * @throws {ReplicationError} `return_link_silent`
 */
export const startReturnLink: SwitchoverStep = {
  id: 'start-return-link',
  title: 'Way back runs',
  describe: ({ from }) => [`enable the return subscription on the ${from}; wait for a marker`],

  async run(context) {
    const { oldSide, newSide, outLanes, facts, from, to, migration } = context;
    for (const lane of outLanes) {
      await until(
        `the end of apply worker ${lane.subscription}`,
        async () => ((await subscriptionState(newSide, lane.subscription))?.isRunning ? undefined : true),
        { timeoutMs: WORKER_GONE_MS },
      );
    }
    const lanes = facts.returnLanes ?? (await existingLanes(newSide, migration, linkFrom(to)));
    const lost = await lostLanes(newSide, lanes);
    if (lost.length > 0) return tellLost(context, lost);
    for (const lane of lanes) {
      await oldSide.script(enableSubscriptionSql(lane.subscription));
      await noteLane(newSide, oldSide, lane);
    }
    const markers = lanes.map((lane) => lane.marker);
    const token = randomUUID();
    await writeMarkers(newSide, markers, token);
    const arrived = await awaitMarkers(oldSide, markers, token, {
      timeoutMs: FIRST_MARKER_MS,
      intervalMs: 5,
    });
    if (arrived) return;
    throw new ReplicationError(
      'return_link_silent',
      `The switch is done, but nothing has come back to the ${from} within ${FIRST_MARKER_MS / 1000} s: a rollback would not be safe yet`,
      {
        hint: `Look at the server log of the ${from} for its subscription’s error; then run the same command again.`,
      },
    );
  },
};

async function tellLost({ events, direction, to }: SwitchoverContext, lost: readonly LaneNames[]) {
  const slots = lost.map(({ slot }) => slot).join(', ');
  await events.emit('warning', {
    code: 'return_link_lost',
    message: `The ${direction} is done, but what was to carry the writes of the ${to} to the other side is lost (${slots}): ${LOST_SLOT[to]}`,
    hint: LOST_SLOT_HINT[to],
  });
  return 'lost';
}
