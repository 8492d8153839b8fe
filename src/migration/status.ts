/** Where the migration stands, read from the servers. Changes nothing, and takes no lock but those of the schemas' comparison. */

import { messageOf } from '../base/message-of.ts';
import { databasePrefix, type MigrationEvent } from '../domain/event.ts';
import { isLinkInDoubt, lastVerification, trustIn, verifiedFor } from '../domain/last-verification.ts';
import { otherSide, type Side } from '../domain/names.ts';
import { nextCommand } from '../domain/next-command.ts';
import type { Phase } from '../domain/phase.ts';
import { tableBytes } from '../domain/plan.ts';
import { SCHEMA_CHANGE_HINT, schemaChangeText } from '../domain/schema-change.ts';
import type { TrafficRequests } from '../domain/traffic-requests.ts';
import type { MigrationStatus, SchemaChangeOf } from '../observers/status.ts';
import { serverRun } from '../postgres/server-run.ts';
import { isCopied, readCopyProgress } from '../state/copy-progress.ts';
import { tableExists } from '../state/install.ts';
import { readEvents } from '../state/journal.ts';
import { describeOthers, type MigrationRow } from '../state/migration-row.ts';
import { standbySides, standbyText } from './primaries.ts';
import { stillStands } from './rows.ts';
import type { Session } from './session.ts';
import { type DatabaseState, inAll, readDatabaseState } from './status/database-state.ts';
import { linkStatus } from './status/link-status.ts';
import { isWayBackGone, problems } from './status/problems.ts';
import { readyItems } from './status/ready-items.ts';

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
  const events = await readEvents(session.target, session.migration);
  const databases = await Promise.all(
    session.databases.map((database) => readDatabaseState(database, activeSide)),
  );
  const others = row === undefined ? await describeOthers(session.target, session.migration) : [];
  const traffic: Traffic = withTraffic ? await trafficState(session, row) : { problems: [] };
  const verified = await verifiedStatus(session, activeSide, events);
  const standbys = standbySides(session);
  // What noted the DDL is unlogged, which a standby does not show.
  const isCompared = schema !== 'skipped' && standbys.length === 0 && mayCompare(row, events);
  const schemaChanges = isCompared ? await seenChanges(session, schema) : undefined;
  const ready =
    phase === 'following' || phase === 'switched'
      ? await readyItems(databases, activeSide, schemaChanges)
      : [];
  const seen = [
    ...(others.length === 0 ? [] : [unknownHere(session.migration, others)]),
    ...standbys.map((side) => standbyText(session, side)),
    ...(await problems(row, databases)),
    ...(schemaChanges ?? []).map(schemaProblem),
    ...traffic.problems,
  ];
  return {
    migration: session.migration,
    phase,
    since: events.findLast((event) => event.type === 'phase-changed')?.at ?? row?.createdAt,
    at: new Date().toISOString(),
    activeSide,
    ...(others.length === 0 ? {} : { others }),
    epoch: row?.epoch ?? 0,
    source: { version: session.identities.source.version, address: session.describe('source') },
    target: { version: session.identities.target.version, address: session.describe('target') },
    link: linkStatus(activeSide, databases),
    traffic: traffic.line,
    requests: traffic.requests,
    copy: row?.plan === undefined || phase !== 'syncing' ? undefined : await copyStatus(databases),
    verified,
    ready,
    problems: seen,
    schemaChanges,
    next:
      others.length > 0
        ? 'pgglide status --migration with one of these names; pgglide sync begins a new one'
        : nextCommand({
            phase,
            interrupted: row?.switchover?.direction,
            isVerified: trustIn(verified, Date.now(), session.settings.verify.staleAfterMs) === 'fresh',
            differs: verified?.equal === false || isLinkInDoubt(events),
            hasProblems: seen.length > 0 || ready.some(({ ok }) => !ok),
            isWayBackGone: isWayBackGone(databases),
          }),
  };
}

/** A name that was mistyped, or another folder's configuration: which side traffic is on is not ours to say. */
const unknownHere = (migration: string, others: readonly string[]): string =>
  `no migration "${migration}" here; these servers hold: ${others.join(', ')}`;

/** Nobody's requests wait for our comparison: none while a switch is under way. */
const SWITCH_TAKES_AT_MOST_MS = 300_000;

function mayCompare(row: MigrationRow | undefined, events: readonly MigrationEvent[]): boolean {
  if (row?.phase !== 'following' && row?.phase !== 'switched') return false;
  if (row.switchover !== undefined) return false;
  const last = events.findLast(({ type }) => SWITCH_EVENTS.has(type));
  return (
    last?.type !== 'switchover-started' ||
    Math.abs(Date.now() - Date.parse(last.at)) > SWITCH_TAKES_AT_MOST_MS
  );
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

async function verifiedStatus(
  session: Session,
  activeSide: Side,
  events: readonly MigrationEvent[],
): Promise<MigrationStatus['verified']> {
  const last = lastVerification(events);
  if (last === undefined) return undefined;
  const followerRun = await serverRun(session.side(otherSide(activeSide)));
  return { ...verifiedFor(last, followerRun), tables: last.data.tables.length };
}

interface Traffic {
  readonly line?: string;
  readonly requests?: TrafficRequests | undefined;
  readonly problems: readonly string[];
}

const IS_LINKED: ReadonlySet<Phase> = new Set(['following', 'switched']);

const elsewhere = (side: Side): string =>
  `the traffic switch sends clients to the ${side}, which is not the active side: a proxy that is started again takes it from the migration’s row`;

/** A traffic switch that cannot be reached is a fact to show, not a reason to show nothing. */
async function trafficState(session: Session, row: MigrationRow | undefined): Promise<Traffic> {
  try {
    await using traffic = session.openTraffic();
    const { description, requests, activeSide } = await traffic.observe();
    const isElsewhere = row !== undefined && IS_LINKED.has(row.phase) && activeSide !== row.activeSide;
    const problems = isElsewhere && (await stillStands(session, row)) ? [elsewhere(activeSide)] : [];
    return { line: description, requests, problems };
  } catch (error) {
    return { problems: [messageOf(error)] };
  }
}
