import { randomUUID } from 'node:crypto';
import { ReplicationError } from '../domain/errors.ts';
import type { LaneNames } from '../domain/names.ts';
import type { Step } from '../engine/step.ts';
import { refuseApplyStop } from '../postgres/apply-stop.ts';
import type { Connection } from '../postgres/connection.ts';
import { existingLanes } from '../postgres/lane.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';
import { type SlotState, slotState } from '../postgres/replication-slot.ts';

/** A marker that makes the way in less than this shows that the target keeps up. */
const KEEPS_UP_MS = 2000;

const BEHIND = 'the target to apply what is behind';
const NOT_CONNECTED =
  'the target to fetch changes: its worker has no connection to the source; the target’s server log says why (a firewall, pg_hba.conf, a password, max_wal_senders of the source)';

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
    for (const lane of lanes) await refuseApplyStop(source, target, lane, signal);
    const slots = await Promise.all(lanes.map((lane) => slotState(source, lane.slot)));
    for (const [index, lane] of lanes.entries()) assertUsable(slots[index], lane);
    const lagBytes = Math.max(0, ...slots.map((slot) => slot?.lagBytes ?? 0));
    const retainedWalBytes = Math.max(0, ...slots.map((slot) => slot?.retainedBytes ?? 0));
    const token = randomUUID();
    const started = performance.now();
    const markers = lanes.map((lane: LaneNames) => lane.marker);
    await writeMarkers(source, markers, token);
    const arrivedLsn = await awaitMarkers(target, markers, token, {
      timeoutMs: KEEPS_UP_MS,
      intervalMs: 5,
      signal,
    });
    const satisfied = arrivedLsn !== undefined;
    const lagMs = satisfied ? Math.round(performance.now() - started) : undefined;
    await events.emit('lag-sampled', { lagBytes, lagMs, retainedWalBytes });
    return { satisfied, facts: undefined, waitingFor: satisfied ? BEHIND : await whatKeepsIt(source, lanes) };
  },

  actions: () => [],
};

async function whatKeepsIt(source: Connection, lanes: readonly LaneNames[]): Promise<string> {
  const slots = await Promise.all(lanes.map((lane) => slotState(source, lane.slot)));
  return slots.some((slot) => slot?.isActive === false) ? NOT_CONNECTED : BEHIND;
}

function assertUsable(slot: SlotState | undefined, lane: LaneNames): void {
  if (slot !== undefined && slot.walStatus !== 'lost') return;
  throw new ReplicationError(
    'slot_lost',
    `Slot ${lane.slot} is lost: changes are missing on the target for good`,
    {
      hint: 'Run pgglide sync again: it copies anew what the slot was for.',
      facts: { slot: lane.slot },
    },
  );
}
