/** What goes wrong now, as one line each with what to do. */

import { type LaneNames, otherSide, type Side } from '../../domain/names.ts';
import { isNearLimit, walLimitBytes } from '../../domain/wal-budget.ts';
import { formatBytes } from '../../observers/quantity.ts';
import { glanceAtApply } from '../../postgres/apply-stop.ts';
import { tableStates } from '../../postgres/linked-tables.ts';
import type { SlotState } from '../../postgres/replication-slot.ts';
import type { MigrationRow } from '../../state/migration-row.ts';
import type { Session } from '../session.ts';
import { type DatabaseState, inAll, type LaneState } from './database-state.ts';

export async function problems(
  row: MigrationRow | undefined,
  databases: readonly DatabaseState[],
): Promise<string[]> {
  const open = row?.switchover;
  const interrupted =
    open === undefined ? [] : [`a ${open.direction} was interrupted: the next command finishes or undoes it`];
  const ofLanes = databases.flatMap((database) =>
    database.lanes.map(async (lane) =>
      (await laneProblems(database, row, lane)).map((problem) => database.session.prefix + problem),
    ),
  );
  const unfinished = row?.phase === 'switched' ? await inAll(databases, unfinishedTables) : [];
  return [...interrupted, ...(await Promise.all(ofLanes)).flat(), ...unfinished, ...joining(databases)];
}

/** The slot of each keeps WAL of its own on the target until it is through. */
async function unfinishedTables({ session, lanes }: DatabaseState): Promise<string[]> {
  const states = await tableStates(
    session.source,
    lanes.map(({ names }) => names.subscription),
  );
  return [...states]
    .filter(([, state]) => state !== 'r')
    .map(
      ([table]) =>
        `${session.prefix}${table} is not on the source yet, and a slot of its own keeps WAL on the target: pgglide sync takes it in, or tells what keeps it out`,
    );
}

function joining(databases: readonly DatabaseState[]): string[] {
  const [lead] = databases;
  if (lead?.row?.plan === undefined) return [];
  return databases
    .filter(({ row }) => row?.plan === undefined)
    .map(({ session }) => `${session.prefix}not copied yet: pgglide sync adds it`);
}

/** What a slot that is gone means, by the side that takes the writes. */
const LOST: Readonly<Record<Side, string>> = {
  source: 'changes are missing on the target for good; pgglide sync copies anew',
  target:
    'changes are missing on the source for good; a rollback would lose them, there is no way back any more',
};

async function laneProblems(
  { session, maxWalRetainedBytes }: DatabaseState,
  row: MigrationRow | undefined,
  { names, subscription, slot }: LaneState,
): Promise<string[]> {
  const publisher = row?.activeSide ?? 'source';
  const isLost = slot === undefined || slot.walStatus === 'lost';
  if (isLost) {
    // In the copy there may be neither yet.
    if (slot === undefined && subscription === undefined) return [];
    return [`slot ${names.slot} ${slot === undefined ? 'is gone' : 'is lost'}: ${LOST[publisher]}`];
  }
  return [...(await applyProblems(session, publisher, names)), ...walProblems(slot, maxWalRetainedBytes)];
}

async function applyProblems(session: Session, publisher: Side, lane: LaneNames): Promise<string[]> {
  const [from, to] = [session.side(publisher), session.side(otherSide(publisher))];
  const seen = await glanceAtApply(from, to, lane);
  if (seen === undefined) return [];
  const { subscription, stop, isCertain } = seen;
  if (isCertain) return [`subscription ${subscription.name} stopped ${stop.text}. ${stop.hint}`];
  const errors = subscription.applyErrors === undefined ? '' : ` (${subscription.applyErrors} errors so far)`;
  return [
    `subscription ${subscription.name} does not run now${errors}: PostgreSQL tries it again every few seconds. If it stays so, the subscriber’s server log says why`,
  ];
}

function walProblems(slot: SlotState, maxWalRetainedBytes: number): string[] {
  if (!isNearLimit(slot, maxWalRetainedBytes)) return [];
  const limitBytes = walLimitBytes(slot, maxWalRetainedBytes);
  const kept = `${formatBytes(slot.retainedBytes)} of ${formatBytes(limitBytes)}`;
  return [`slot ${slot.name} keeps ${kept} of WAL that it may keep; see docs/throttling.md`];
}
