/** What status reads of each database before it judges. */

import { type LaneNames, linkFrom, otherSide, type Side } from '../../domain/names.ts';
import { existingLanes } from '../../postgres/lane.ts';
import { laneLagMs } from '../../postgres/lane-lag.ts';
import { type Alteration, laneAlterations } from '../../postgres/lane-shape.ts';
import { publishedTables } from '../../postgres/publication.ts';
import { type SlotState, slotState } from '../../postgres/replication-slot.ts';
import { type Ahead, subscriberAhead } from '../../postgres/subscriber-ahead.ts';
import { type SubscriptionState, subscriptionState } from '../../postgres/subscription.ts';
import type { MigrationRow } from '../../state/migration-row.ts';
import { readMaxWalRetainedBytes } from '../../state/tuning.ts';
import type { Session } from '../session.ts';

export interface DatabaseState {
  readonly session: Session;
  readonly row: MigrationRow | undefined;
  readonly lanes: readonly LaneState[];
  /** throttle.maxWalRetained as it counts now. */
  readonly maxWalRetainedBytes: number;
}

export interface LaneState {
  readonly names: LaneNames;
  readonly subscription: SubscriptionState | undefined;
  readonly slot: SlotState | undefined;
  readonly lagMs: number | undefined;
  /** Of its publisher, which has gone back. */
  readonly ahead: Ahead | undefined;
  readonly tables: number;
  readonly altered: readonly Alteration[];
}

export async function readDatabaseState(database: Session, activeSide: Side): Promise<DatabaseState> {
  const { target, migration, settings } = database;
  const row = await database.row();
  const maxWalRetainedBytes =
    row === undefined
      ? settings.throttle.maxWalRetainedBytes
      : await readMaxWalRetainedBytes(target, migration, settings.throttle);
  return { session: database, row, lanes: await laneStates(database, activeSide), maxWalRetainedBytes };
}

async function laneStates(session: Session, from: Side): Promise<LaneState[]> {
  const publisher = session.side(from);
  const lanes = await existingLanes(publisher, session.migration, linkFrom(from));
  return Promise.all(
    lanes.map(async (lane) => ({
      names: lane,
      subscription: await subscriptionState(session.side(otherSide(from)), lane.subscription),
      slot: await slotState(publisher, lane.slot),
      lagMs: await laneLagMs(publisher, lane.slot),
      ahead: await subscriberAhead(publisher, session.side(otherSide(from)), lane),
      altered: await laneAlterations(publisher, session.side(otherSide(from)), lane),
      // But for the marker.
      tables: ((await publishedTables(publisher, lane.publication))?.length ?? 1) - 1,
    })),
  );
}

export async function inAll<T>(
  databases: readonly DatabaseState[],
  look: (database: DatabaseState) => Promise<readonly T[]>,
): Promise<T[]> {
  return (await Promise.all(databases.map(look))).flat();
}
