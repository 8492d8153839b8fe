/** The active link as one: the worst of its lanes. */

import type { Side } from '../../domain/names.ts';
import type { LaneStatus, MigrationStatus } from '../../observers/status.ts';
import type { DatabaseState, LaneState } from './database-state.ts';

export function linkStatus(from: Side, databases: readonly DatabaseState[]): MigrationStatus['link'] {
  const states = databases.flatMap((database) => database.lanes);
  if (states.length === 0) return undefined;
  const lanes = states.map(laneStatus);
  return {
    from,
    lanes,
    isStreaming: lanes.every((lane) => lane.isStreaming),
    lagBytes: worst(lanes, 'lagBytes') ?? 0,
    lagMs: worst(lanes, 'lagMs'),
    retainedWalBytes: worst(lanes, 'retainedWalBytes') ?? 0,
    walLimitBytes: databases[0]?.maxWalRetainedBytes,
  };
}

const laneStatus = ({ names, subscription, slot, lagMs, tables }: LaneState): LaneStatus => ({
  name: names.subscription,
  tables,
  isStreaming: subscription?.isRunning ?? false,
  lagBytes: slot?.lagBytes,
  lagMs,
  retainedWalBytes: slot?.retainedBytes,
});

function worst(
  lanes: readonly LaneStatus[],
  figure: 'lagBytes' | 'lagMs' | 'retainedWalBytes',
): number | undefined {
  const known = lanes.map((lane) => lane[figure]).filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
