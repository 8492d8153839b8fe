import { randomUUID } from 'node:crypto';
import { until } from '../base/async.ts';
import { ReplicationError } from '../domain/errors.ts';
import { linkFrom } from '../domain/names.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { existingLanes } from '../postgres/lane.ts';
import { noteLane } from '../postgres/lane-note.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';
import { enableSubscriptionSql, subscriptionState } from '../postgres/subscription.ts';

const WORKER_GONE_MS = 30_000;
const FIRST_MARKER_MS = 60_000;

/**
 * Enables the way back, once the worker of the other direction is gone: never both at once. Waits until a marker
 * has made the way; from then on a rollback loses nothing.
 *
 * @throws {ReplicationError} `return_link_silent`
 */
export const startReturnLink: SwitchoverStep = {
  id: 'start-return-link',
  title: 'Way back runs',
  describe: ({ from }) => [`enable the return subscription on the ${from}; wait for a marker`],

  async run({ oldSide, newSide, outLanes, facts, from, to, migration }) {
    for (const lane of outLanes) {
      await until(
        `the end of apply worker ${lane.subscription}`,
        async () => ((await subscriptionState(newSide, lane.subscription))?.isRunning ? undefined : true),
        { timeoutMs: WORKER_GONE_MS },
      );
    }
    const lanes = facts.returnLanes ?? (await existingLanes(newSide, migration, linkFrom(to)));
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
