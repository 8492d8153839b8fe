import { randomUUID } from 'node:crypto';
import type { LaneNames } from '../domain/names.ts';
import type { Step } from '../engine/step.ts';
import { existingLanes } from '../postgres/lane.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';
import { slotState } from '../postgres/replication-slot.ts';
import { assertApplying, subscriptionState } from '../postgres/subscription.ts';

/** A marker that makes the way in less than this shows that the target keeps up. */
const KEEPS_UP_MS = 2000;

/**
 * Waits until what is written on the source now shows on the target soon after. Reads, and writes markers.
 *
 * @throws {ReplicationError} `apply_stopped`, `slot_lost`
 */
export const catchUp: Step<undefined> = {
  id: 'catch-up',
  title: 'Target has caught up',

  describe: () => ['source: write a marker; target: wait for it'],

  async observe({ source, target, migration, events, signal }) {
    const lanes = await existingLanes(source, migration, 'forward');
    const states = await Promise.all(lanes.map((lane) => subscriptionState(target, lane.subscription)));
    lanes.forEach((lane, index) => {
      assertApplying(states[index], lane.subscription);
    });
    const slots = await Promise.all(lanes.map((lane) => slotState(source, lane.slot)));
    const lagBytes = Math.max(0, ...slots.map((slot) => slot?.lagBytes ?? 0));
    const retainedWalBytes = Math.max(0, ...slots.map((slot) => slot?.retainedBytes ?? 0));
    const token = randomUUID();
    const started = performance.now();
    const markers = lanes.map((lane: LaneNames) => lane.marker);
    await writeMarkers(source, markers, token);
    const satisfied = await awaitMarkers(target, markers, token, {
      timeoutMs: KEEPS_UP_MS,
      intervalMs: 5,
      signal,
    });
    const lagMs = satisfied ? Math.round(performance.now() - started) : undefined;
    await events.emit('lag-sampled', { lagBytes, lagMs, retainedWalBytes });
    return { satisfied, facts: undefined, waitingFor: 'the target to apply what is behind' };
  },

  actions: () => [],
};
