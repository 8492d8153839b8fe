/** What goes wrong now, as one line each with what to do. */

import { LOST_SLOT } from '../../domain/lost-slot.ts';
import { type LaneNames, otherSide, type Side } from '../../domain/names.ts';
import { isNearLimit, walLimitBytes } from '../../domain/wal-budget.ts';
import { WENT_BACK_HINT, wentBackText } from '../../domain/went-back.ts';
import { formatBytes } from '../../observers/quantity.ts';
import { glanceAtApply } from '../../postgres/apply-stop.ts';
import { fenceGaps } from '../../postgres/fence-gaps.ts';
import { tableStates } from '../../postgres/linked-tables.ts';
import { isLost, type SlotState } from '../../postgres/replication-slot.ts';
import type { MigrationRow } from '../../state/migration-row.ts';
import { closedDoorProblems } from '../closed-door.ts';
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
  const openFences = await Promise.all(databases.map((database) => fenceProblems(database, row)));
  const unfinished = row?.phase === 'switched' ? await inAll(databases, unfinishedTables) : [];
  return [
    ...interrupted,
    ...(await Promise.all(ofLanes)).flat(),
    ...openFences.flat(),
    ...(await inAll(databases, ({ session }) => closedDoorProblems(session))),
    ...unfinished,
    ...ended(row, databases),
    ...joining(databases),
  ];
}

async function fenceProblems(
  { session, lanes }: DatabaseState,
  row: MigrationRow | undefined,
): Promise<string[]> {
  if (row?.phase !== 'following' && row?.phase !== 'switched') return [];
  const passive = otherSide(row.activeSide);
  const names = lanes.map((lane) => lane.names);
  const gaps = await fenceGaps(session.side(row.activeSide), session.side(passive), passive, names);
  return gaps.map(
    ({ text }) =>
      `${session.prefix}${text}: somebody may have written there. pgglide verify closes it, and compares both sides`,
  );
}

/** While the target takes the writes: its changes no longer come to the source, and never will. */
export const isWayBackGone = (databases: readonly DatabaseState[]): boolean =>
  databases.some(({ lanes }) => lanes.length === 0 || lanes.some(isBroken));

/** Neither can be made again at the position where the other stands. */
const isBroken = ({ slot, subscription }: LaneState): boolean => isLost(slot) || subscription === undefined;

/** A `complete` that was cut off, or somebody, has taken a whole link away. */
function ended(row: MigrationRow | undefined, databases: readonly DatabaseState[]): string[] {
  if (row?.phase !== 'switched') return [];
  return databases
    .filter(({ lanes }) => lanes.length === 0)
    .map(({ session }) => `${session.prefix}the link to the source is gone: ${LOST_SLOT.target}`);
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

async function laneProblems(
  { session, maxWalRetainedBytes }: DatabaseState,
  row: MigrationRow | undefined,
  { names, subscription, slot, ahead, altered }: LaneState,
): Promise<string[]> {
  const publisher = row?.activeSide ?? 'source';
  // In the copy there may be neither yet.
  if (publisher === 'source' && slot === undefined && subscription === undefined) return [];
  if (slot === undefined || isLost(slot))
    return [`slot ${names.slot} ${slot === undefined ? 'is gone' : 'is lost'}: ${LOST_SLOT[publisher]}`];
  if (publisher === 'target' && subscription === undefined)
    return [`subscription ${names.subscription} is gone: ${LOST_SLOT.target}`];
  if (ahead !== undefined)
    return [`${wentBackText(publisher, ahead.appliedLsn)}. ${WENT_BACK_HINT[publisher]}`];
  const kept = walProblems(slot, maxWalRetainedBytes);
  // It was us: half-way the links of neither direction are as they will be.
  if (row?.switchover !== undefined) return kept;
  return [
    ...altered.map(
      ({ text }) =>
        `${text}: somebody has altered the link. pgglide verify makes it as it was, and shows what it may have left out`,
    ),
    ...(await applyProblems(session, publisher, names)),
    ...kept,
  ];
}

async function applyProblems(session: Session, publisher: Side, lane: LaneNames): Promise<string[]> {
  const [from, to] = [session.side(publisher), session.side(otherSide(publisher))];
  const seen = await glanceAtApply(from, to, lane);
  if (seen === undefined) return [];
  const { subscription, stop, isCertain } = seen;
  if (!subscription.isEnabled && stop.conflict === undefined)
    return [
      `subscription ${subscription.name} is disabled, by somebody or by an error (disable_on_error): pgglide sync enables it`,
    ];
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
