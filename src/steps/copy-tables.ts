import { copyParts } from '../copy/copy-tables.ts';
import { watchPace } from '../copy/pace.ts';
import type { CopyPart } from '../copy/parts.ts';
import { planCopy } from '../copy/plan-copy.ts';
import { plannedTableGone } from '../copy/planned-table-gone.ts';
import { type NewLane, planLanes } from '../domain/lanes.ts';
import { type LaneNames, qualified, type TableName } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import type { Step, StepContext } from '../engine/step.ts';
import type { Connection } from '../postgres/connection.ts';
import { dropLane } from '../postgres/drop-lane.ts';
import { existingLanes } from '../postgres/lane.ts';
import { noteTargetSql } from '../postgres/lane-target.ts';
import { lostLanes } from '../postgres/lost-lane.ts';
import { createMarkerSql } from '../postgres/marker.ts';
import { createSlotsPatiently } from '../postgres/patient-slot.ts';
import { presentOn } from '../postgres/present.ts';
import { createPublication, dropTables, publishedTables } from '../postgres/publication.ts';
import { serverIdentity } from '../postgres/server-identity.ts';
import { literal, sql } from '../postgres/sql.ts';
import { classifyRestore } from '../schema/classify-restore.ts';
import { emptyTables } from '../schema/empty-tables.ts';
import { buildTuning, tableSizes } from '../schema/index-builds.ts';
import { IndexesAhead } from '../schema/indexes-ahead.ts';
import { planTables } from '../schema/plan-tables.ts';
import type { SchemaStatement } from '../schema/statement.ts';
import {
  beginCopy,
  forgetTablesSql,
  isCopied,
  readCopyProgress,
  recordParts,
} from '../state/copy-progress.ts';
import { readPaceSettings } from '../state/pace-settings.ts';
import { countStatements, markStatementsDone, readOpenStatements } from '../state/schema-progress.ts';

interface Facts {
  readonly lanes: readonly LaneNames[];
  /** Of these, how many keep a table. */
  readonly keptLanes: number;
  /** The highest number that a lane has, or that is noted of a table. */
  readonly lastLane: number;
  readonly missing: readonly PlannedTable[];
  /** Some of them may hold rows of an earlier attempt. */
  readonly isBegun: boolean;
}

/**
 * Copies every planned table inside one snapshot of the source, which is also where the replication slots of its lanes
 * begin: no change is missed, none comes twice. Tables copied by an earlier, killed run stay in that run's lanes, whose slots
 * have kept their place; the rest, and those whose slot is gone, are emptied and copied anew in lanes of their own.
 *
 * On the source: CREATE PUBLICATION takes SHARE UPDATE EXCLUSIVE on each table, COPY takes ACCESS SHARE; no reader or
 * writer waits. The slot holds WAL from here on.
 *
 * @throws {PrerequisiteError} `slot_waits_for_transaction`, `no_free_slot`
 * @see https://www.postgresql.org/docs/current/protocol-replication.html (EXPORT_SNAPSHOT)
 */
export const copyTables: Step<Facts> = {
  id: 'copy-tables',
  title: 'Rows, in one snapshot',

  describe({ migration, plan, settings }) {
    const lanes = planLanes(migration, 'forward', plan.tables, settings.replication);
    return [
      ...lanes.map(
        ({ names, tables }) =>
          `source: CREATE PUBLICATION ${names.publication} FOR TABLE (${tables.length} tables)`,
      ),
      ...lanes.map(({ names }, place) =>
        place === 0
          ? `source: CREATE_REPLICATION_SLOT ${names.slot} LOGICAL pgoutput EXPORT_SNAPSHOT`
          : `source: pg_copy_logical_replication_slot(${lanes[0]?.names.slot}, ${names.slot})`,
      ),
      ...plan.tables.map((table) => `both: COPY ${qualified(table)}`),
      `${settings.copy.jobs} at once, tables larger than ${settings.copy.splitTablesLargerThanBytes} bytes in parts`,
    ];
  },

  async observe({ source, target, migration, plan }) {
    const progress = await readCopyProgress(target, migration);
    const lanes = await existingLanes(source, migration, 'forward');
    const lost = await lostLanes(source, lanes);
    const usable = new Set(lanes.filter((lane) => !lost.includes(lane)).map(({ lane }) => lane));
    const isFollowable = (table: { readonly lane: number }) => usable.has(table.lane);
    const kept = progress.filter(isCopied).filter(isFollowable);
    const copied = new Set(kept.map((table) => qualified(table)));
    const keptLanes = new Set(kept.map(({ lane }) => lane)).size;
    const missing = plan.tables.filter((table) => !copied.has(qualified(table)));
    const lastLane = Math.max(0, ...[...lanes, ...progress].map(({ lane }) => lane));
    const isBegun = lanes.length > 0 || progress.length > kept.length;
    // A database without tables has a link, too: its markers tell that nothing is on its way.
    const satisfied = missing.length === 0 && usable.size > 0;
    return { satisfied, facts: { missing, lanes, keptLanes, lastLane, isBegun } };
  },

  actions(context, { lanes, keptLanes, lastLane, missing, isBegun }) {
    const { lanes: most, divide } = context.settings.replication;
    const wanted = { lanes: Math.max(1, most - keptLanes), divide };
    const added = planLanes(context.migration, 'forward', missing, wanted, lastLane + 1);
    return [
      ...(isBegun
        ? [
            {
              on: 'both' as const,
              does: `empty ${missing.length} unfinished tables and take them out of earlier lanes`,
              run: () => leaveToNewLane(context, lanes, missing),
            },
          ]
        : []),
      {
        on: 'both',
        does: added
          .map(
            ({ names, tables }) =>
              `publication and slot ${names.slot}; COPY ${tables.map(qualified).join(', ')}`,
          )
          .join('; '),
        run: () => copyInLanes(context, added),
      },
    ];
  },
};

/**
 * Earlier lanes keep their finished tables; a lane without any is given up, so that its slot holds no WAL. What is noted of
 * the others goes with their rows and before their lanes do: stopped at any statement, the next run finds them empty, or
 * still to be emptied, and never copied.
 */
async function leaveToNewLane(
  context: StepContext,
  lanes: readonly LaneNames[],
  missing: readonly PlannedTable[],
): Promise<void> {
  const { source, target, migration, signal } = context;
  await emptyTables(target, missing, {
    alongside: forgetTablesSql(migration, missing),
    signal,
    onWaiting: () => tellWaiting(context, 'a lock on a table of the target that another session holds'),
  });
  const unfinished = new Set(missing.map(qualified));
  for (const lane of lanes) {
    const published = (await publishedTables(source, lane.publication)) ?? [];
    const tables = published.filter((table) => qualified(table) !== qualified(lane.marker));
    const leaving = tables.filter((table) => unfinished.has(qualified(table)));
    if (leaving.length === tables.length) await dropLane(source, target, lane);
    else if (leaving.length > 0) await dropTables(source, lane.publication, leaving);
  }
}

async function copyInLanes(context: StepContext, lanes: readonly NewLane[]): Promise<void> {
  const { source, target, migration, settings, events, signal } = context;
  for (const lane of lanes) await publishLane(context, lane);
  const [first, ...others] = lanes.map(({ names }) => names.slot);
  if (first === undefined) return;
  await using slot = await createSlotsPatiently(settings.source, [first, ...others], {
    timeoutMs: settings.throttle.maxSlotWaitMs,
    signal,
    control: source,
    onBlocked: (blockers) => tellWaiting(context, `the end of ${blockers}`),
  });
  const { jobs, splitTablesLargerThanBytes: splitBytes } = settings.copy;
  const tables = lanes.flatMap((lane) => lane.tables);
  const current = await asOfSnapshot(context, slot.snapshotName, tables);
  const parts = await planCopy(source, target, current, { jobs, splitBytes });
  await beginCopy(target, migration, countParts(lanes, parts));
  await using looking = await openPaceSessions(context);
  await using pace = await watchPace(
    () => readPaceSettings(looking, migration, settings),
    (reason) => tellWaiting(context, reason),
  );
  await using indexes = await indexesAhead(context, current);
  const result = await copyParts({
    source: settings.source,
    target: settings.target,
    snapshot: slot.snapshotName,
    parts,
    jobs: () => pace.now.jobs,
    rateLimit: () => pace.now.rateLimitBytesPerSecond,
    pausedBy: () => pace.now.pausedBy,
    recordParts: (session, done) =>
      recordParts(
        session,
        migration,
        done.map(({ part, rows, bytes }) => ({ table: part.table, part: part.id, rowCount: rows, bytes })),
      ),
    onProgress: (progress) => void events.emit('copy-progress', { ...progress, pausedBy: pace.now.pausedBy }),
    onTableCopied: (table) => indexes.tableCopied(table),
    signal,
  });
  await indexes.finish();
  await events.emit('copy-finished', { tables: tables.length, ...result });
}

/** @throws {PrerequisiteError} `planned_table_gone` */
async function publishLane(context: StepContext, { names, tables }: NewLane): Promise<void> {
  const { source, target, signal } = context;
  const there = await presentOn(source, tables);
  const gone = tables.find((table) => !there.has(qualified(table)));
  if (gone !== undefined) throw plannedTableGone(qualified(gone));
  await Promise.all([
    source.script(createMarkerSql(names.marker)),
    target.script(createMarkerSql(names.marker)),
  ]);
  await createPublication(source, names.publication, [names.marker, ...tables], {
    signal,
    onWaiting: () => tellWaiting(context, 'a lock on a table of the source that another session holds'),
  });
  const { systemIdentifier } = await serverIdentity(target);
  await source.script(noteTargetSql(names.publication, systemIdentifier));
}

/** Large tables get theirs while others are still being copied; `build-indexes` finds the rest. */
async function indexesAhead(
  { target, migration, settings, events, signal, open }: StepContext,
  tables: readonly PlannedTable[],
): Promise<IndexesAhead> {
  const { postData: total, donePostData: doneBefore } = await countStatements(target, migration);
  const left = await readOpenStatements<SchemaStatement>(target, migration, 'post-data');
  const stage = classifyRestore(left, tableSizes(tables)).find(({ name }) => name === 'indexes');
  const width = settings.copy.indexJobs;
  return new IndexesAhead({
    stage: stage ?? { name: 'indexes', mode: 'parallel', tasks: [] },
    connect: () => open('target', 'indexes'),
    width,
    record: (session, done) => markStatementsDone(session, migration, done),
    onProgress: ({ done, running }) =>
      void events.emit('index-progress', { done: doneBefore + done, total, running }),
    tuning: { build: buildTuning },
    signal,
  });
}

/**
 * The same tables with the heaps that the snapshot sees: a partition made since the plan belongs to no part of it, and
 * its rows of before the slot would be copied by nobody.
 *
 * @throws {PrerequisiteError} `planned_table_gone`
 */
async function asOfSnapshot(
  { open, settings }: StepContext,
  snapshot: string,
  tables: readonly PlannedTable[],
): Promise<PlannedTable[]> {
  await using reader = await open('source', 'plan');
  const { tables: seen } = await reader.transaction(async () => {
    await reader.script(sql`SET TRANSACTION SNAPSHOT ${literal(snapshot)}`);
    return planTables(reader, settings.scope);
  }, sql`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`);
  const byName = new Map(seen.map((table) => [qualified(table), table]));
  return tables.map((table) => {
    const current = byName.get(qualified(table));
    if (current !== undefined) return current;
    throw plannedTableGone(qualified(table));
  });
}

const tellWaiting = ({ events }: StepContext, waitingFor: string): void =>
  void events.emit('step-waiting', { step: copyTables.id, waitingFor }).catch(() => undefined);

interface PaceSessions extends AsyncDisposable {
  readonly source: Connection;
  readonly target: Connection;
}

/** Of their own: the others may be at work for long. */
async function openPaceSessions({ open }: StepContext): Promise<PaceSessions> {
  const source = await open('source', 'throttle');
  try {
    const target = await open('target', 'throttle');
    return { source, target, [Symbol.asyncDispose]: () => closeBoth(source, target) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

const closeBoth = async (...sessions: readonly Connection[]): Promise<void> =>
  void (await Promise.all(sessions.map((session) => session.close())));

function countParts(
  lanes: readonly NewLane[],
  parts: readonly CopyPart[],
): (TableName & { readonly lane: number; readonly parts: number })[] {
  const counts = new Map<string, number>();
  for (const { table } of parts) counts.set(qualified(table), (counts.get(qualified(table)) ?? 0) + 1);
  return lanes.flatMap(({ names: { lane }, tables }) =>
    tables.map(({ schema, name }) => ({
      schema,
      name,
      lane,
      parts: counts.get(qualified({ schema, name })) ?? 1,
    })),
  );
}
