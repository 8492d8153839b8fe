/** Where the migration stands, read from the servers. Changes nothing, and takes no lock but those of the schemas' comparison. */

import { databasePrefix, type MigrationEvent } from '../domain/event.ts';
import { lastVerification } from '../domain/last-verification.ts';
import { type LaneNames, linkFrom, otherSide, qualified, type Side } from '../domain/names.ts';
import type { Phase } from '../domain/phase.ts';
import { tableBytes } from '../domain/plan.ts';
import { SCHEMA_CHANGE_HINT, schemaChangeText } from '../domain/schema-change.ts';
import type { TrafficRequests } from '../domain/traffic-requests.ts';
import { judgeWal, walLimitBytes } from '../domain/wal-budget.ts';
import { formatBytes } from '../observers/quantity.ts';
import type { LaneStatus, MigrationStatus, ReadinessItem, SchemaChangeOf } from '../observers/status.ts';
import { longTransactions, preparedTransactions } from '../postgres/activity.ts';
import { glanceAtApply } from '../postgres/apply-stop.ts';
import { existingLanes } from '../postgres/lane.ts';
import { laneLagMs } from '../postgres/lane-lag.ts';
import { publishedTables } from '../postgres/publication.ts';
import { type SlotState, slotState } from '../postgres/replication-slot.ts';
import { type SubscriptionState, subscriptionState } from '../postgres/subscription.ts';
import { unlinkedTables } from '../schema/unlinked-tables.ts';
import { isCopied, readCopyProgress } from '../state/copy-progress.ts';
import { tableExists } from '../state/install.ts';
import { readJournal } from '../state/journal.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import type { Session } from './session.ts';

const NEXT: Readonly<Record<Phase, string>> = {
  new: 'pgglide check, then pgglide sync',
  syncing: 'pgglide sync',
  following: 'pgglide verify, then pgglide cutover',
  switched: 'pgglide complete, or pgglide rollback',
  completed: 'nothing: the migration is complete',
  aborted: 'pgglide sync begins anew',
};

const LONG_TRANSACTION_MS = 1000;

export interface StatusOptions {
  /** Without: the traffic switch is not asked. For those who cannot reach it from where they are. */
  readonly withTraffic?: boolean;
  /**
   * Whether the schemas' comparison, which takes seconds where there are thousands of tables, is waited for (for 5 s at most),
   * told once it is at hand (by a later look, for those who look again and again), or left out. Default: waited for.
   */
  readonly schema?: 'awaited' | 'at-hand' | 'skipped';
}

export async function status(
  session: Session,
  { withTraffic = true, schema = 'awaited' }: StatusOptions = {},
): Promise<MigrationStatus> {
  const row = await session.row();
  const phase = row?.phase ?? 'new';
  const activeSide = row?.activeSide ?? 'source';
  const events = (await readJournal(session.target, session.migration)).map((entry) => entry.event);
  const databases = await Promise.all(
    session.databases.map(
      async (database): Promise<DatabaseState> => ({
        session: database,
        row: await database.row(),
        lanes: await laneStates(database, activeSide),
      }),
    ),
  );
  const lanes = databases.flatMap((database) => database.lanes);
  const traffic: Traffic = withTraffic ? await trafficState(session) : { problems: [] };
  const verified = verifiedStatus(events);
  const schemaChanges =
    schema === 'skipped' || !mayCompare(row, events) ? undefined : await seenChanges(session, schema);
  return {
    migration: session.migration,
    phase,
    since: events.findLast((event) => event.type === 'phase-changed')?.at ?? row?.createdAt,
    at: new Date().toISOString(),
    activeSide,
    epoch: row?.epoch ?? 0,
    source: { version: session.identities.source.version, address: session.describe('source') },
    target: { version: session.identities.target.version, address: session.describe('target') },
    link: lanes.length === 0 ? undefined : linkStatus(session, activeSide, lanes),
    traffic: traffic.line,
    requests: traffic.requests,
    copy: row?.plan === undefined || phase !== 'syncing' ? undefined : await copyStatus(databases),
    verified,
    ready:
      phase === 'following' || phase === 'switched'
        ? await readyItems(databases, activeSide, schemaChanges)
        : [],
    problems: [
      ...(await problems(row, databases)),
      ...(schemaChanges ?? []).map(schemaProblem),
      ...traffic.problems,
    ],
    schemaChanges,
    next: row?.switchover === undefined ? NEXT[phase] : `pgglide ${row.switchover.direction}`,
  };
}

/** Nobody's requests wait for our comparison: none while a switch is under way. */
const SWITCH_TAKES_AT_MOST_MS = 300_000;

function mayCompare(row: MigrationRow | undefined, events: readonly MigrationEvent[]): boolean {
  if (row?.phase !== 'following' && row?.phase !== 'switched') return false;
  if (row.switchover !== undefined) return false;
  const last = events.findLast(({ type }) => SWITCH_EVENTS.has(type));
  return last?.type !== 'switchover-started' || Date.now() - Date.parse(last.at) > SWITCH_TAKES_AT_MOST_MS;
}

const SWITCH_EVENTS: ReadonlySet<MigrationEvent['type']> = new Set([
  'switchover-started',
  'switchover-finished',
  'switchover-aborted',
]);

/** Undefined as long as one database's are not known. */
async function seenChanges(
  { databases }: Session,
  schema: 'awaited' | 'at-hand',
): Promise<SchemaChangeOf[] | undefined> {
  const seen = await Promise.all(
    databases.map(async ({ drift, database }) =>
      (await drift.look(schema))?.map((change) =>
        databases.length === 1 ? change : { ...change, database },
      ),
    ),
  );
  return seen.includes(undefined) ? undefined : seen.flatMap((changes) => changes ?? []);
}

/** As `follow` knows it again among the problems. */
export const schemaProblem = (change: SchemaChangeOf): string =>
  `${databasePrefix(change)}${schemaChangeText(change)}. ${SCHEMA_CHANGE_HINT}`;

interface DatabaseState {
  readonly session: Session;
  readonly row: MigrationRow | undefined;
  readonly lanes: readonly LaneState[];
}

interface LaneState {
  readonly names: LaneNames;
  readonly subscription: SubscriptionState | undefined;
  readonly slot: SlotState | undefined;
  readonly lagMs: number | undefined;
  readonly tables: number;
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
      // But for the marker.
      tables: ((await publishedTables(publisher, lane.publication))?.length ?? 1) - 1,
    })),
  );
}

function linkStatus(session: Session, from: Side, states: readonly LaneState[]): MigrationStatus['link'] {
  const lanes = states.map(laneStatus);
  return {
    from,
    lanes,
    isStreaming: lanes.every((lane) => lane.isStreaming),
    lagBytes: worst(lanes, 'lagBytes') ?? 0,
    lagMs: worst(lanes, 'lagMs'),
    retainedWalBytes: worst(lanes, 'retainedWalBytes') ?? 0,
    walLimitBytes: session.settings.throttle.maxWalRetainedBytes,
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

async function problems(
  row: MigrationRow | undefined,
  databases: readonly DatabaseState[],
): Promise<string[]> {
  const open = row?.switchover;
  const interrupted =
    open === undefined ? [] : [`a ${open.direction} was interrupted: the next command finishes or undoes it`];
  const ofLanes = databases.flatMap(({ session, lanes }) =>
    lanes.map(async (lane) =>
      (await laneProblems(session, row, lane)).map((problem) => session.prefix + problem),
    ),
  );
  return [...interrupted, ...(await Promise.all(ofLanes)).flat(), ...joining(databases)];
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
  session: Session,
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
  return [...(await applyProblems(session, publisher, names)), ...walProblems(session, slot)];
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

function walProblems({ settings }: Session, slot: SlotState): string[] {
  const limits = { maxRetainedBytes: settings.throttle.maxWalRetainedBytes, warnAt: 0.7 };
  if (judgeWal(slot, limits, 'nearer') === 'go') return [];
  const kept = `${formatBytes(slot.retainedBytes)} of ${formatBytes(walLimitBytes(slot, limits))}`;
  return [`slot ${slot.name} keeps ${kept} of WAL that it may keep; see docs/throttling.md`];
}

async function readyItems(
  databases: readonly DatabaseState[],
  activeSide: Side,
  schemaChanges: MigrationStatus['schemaChanges'],
): Promise<ReadinessItem[]> {
  const [long, prepared] = await Promise.all([
    inAll(databases, ({ session }) => longTransactions(session.side(activeSide), LONG_TRANSACTION_MS)),
    inAll(databases, ({ session }) => preparedTransactions(session.side(activeSide))),
  ]);
  const unlinked = await inAll(databases, ({ session, row }) =>
    unlinkedTables({
      migration: session.migration,
      from: activeSide,
      oldSide: session.side(activeSide),
      newSide: session.side(otherSide(activeSide)),
      settings: session.settings,
      tables: row?.plan?.tables ?? [],
    }),
  );
  const linkRuns = databases.every(
    ({ lanes }) => lanes.length > 0 && lanes.every((lane) => lane.subscription?.isRunning ?? false),
  );
  return [
    { name: 'link runs', ok: linkRuns },
    {
      name: 'long transactions',
      ok: long.length === 0,
      ...(long.length > 0 ? { detail: `${long.length}` } : {}),
    },
    { name: 'prepared transactions', ok: prepared.length === 0 },
    {
      name: 'tables replicated',
      ok: unlinked.length === 0,
      ...(unlinked.length > 0 ? { detail: `not ${unlinked.map(qualified).join(', ')}` } : {}),
    },
    ...(schemaChanges === undefined ? [] : [{ name: 'schema as synced', ok: schemaChanges.length === 0 }]),
  ];
}

async function inAll<T>(
  databases: readonly DatabaseState[],
  look: (database: DatabaseState) => Promise<readonly T[]>,
): Promise<T[]> {
  return (await Promise.all(databases.map(look))).flat();
}

/** Bytes done are those of whole tables: the parts of a running one are the running tool's to show. */
async function copyStatus(databases: readonly DatabaseState[]): Promise<MigrationStatus['copy']> {
  const tables = databases.flatMap(({ row }) => row?.plan?.tables ?? []);
  const progress = await inAll(databases, async ({ session: { target, migration } }) =>
    (await tableExists(target, 'copy_table')) ? await readCopyProgress(target, migration) : [],
  );
  return {
    bytes: progress.reduce((sum, table) => sum + table.bytes, 0),
    totalBytes: tables.reduce((sum, table) => sum + tableBytes(table), 0),
    rows: progress.reduce((sum, table) => sum + table.rowCount, 0),
    tablesDone: progress.filter(isCopied).length,
    tables: tables.length,
    running: [],
    bytesPerSecond: 0,
    elapsedMs: 0,
  };
}

function verifiedStatus(events: readonly MigrationEvent[]): MigrationStatus['verified'] {
  const last = lastVerification(events);
  if (last === undefined) return undefined;
  return { at: last.at, equal: last.data.equal, tables: last.data.tables.length };
}

interface Traffic {
  readonly line?: string;
  readonly requests?: TrafficRequests | undefined;
  readonly problems: readonly string[];
}

/** A traffic switch that cannot be reached is a fact to show, not a reason to show nothing. */
async function trafficState(session: Session): Promise<Traffic> {
  try {
    await using traffic = session.openTraffic();
    const { description, requests } = await traffic.observe();
    return { line: description, requests, problems: [] };
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] };
  }
}
