/** What sync and cutover would do, from the same lists that they execute. Changes nothing. */

import type { MigrationEvent, SwitchoverDirection } from '../domain/event.ts';
import { planLanes } from '../domain/lanes.ts';
import {
  type LaneNames,
  linkFrom,
  otherSide,
  qualified,
  type Side,
  type TableName,
} from '../domain/names.ts';
import { type Plan, tableBytes } from '../domain/plan.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import type { PlanLine, PlanSection } from '../observers/plan-text.ts';
import { existingLanes } from '../postgres/lane.ts';
import { largeObjectSize } from '../postgres/large-object.ts';
import { publishedTables } from '../postgres/publication.ts';
import { readAsideTables } from '../schema/aside-tables.ts';
import { readMaterializedViews } from '../schema/materialized-views.ts';
import { newRelations } from '../schema/new-relations.ts';
import { planMigration } from '../schema/plan-migration.ts';
import { readEvents } from '../state/journal.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import { FIRST_STEP, SYNC_STEPS } from './phases.ts';
import { requirePlan } from './rows.ts';
import type { Session } from './session.ts';
import { AFTER_COMMIT, BEFORE_PAUSE, PAUSED } from './switchover.ts';

/** The whole path: tables, the steps of sync, the steps of a cutover. */
export async function plan(session: Session): Promise<PlanSection[]> {
  const databases = await Promise.all(
    session.databases.map(async (database): Promise<PlannedDatabase> => {
      const row = await database.row();
      const plan =
        row?.plan ?? (await planMigration(database.source, database.target, database.settings.scope));
      return { session: database, row, plan };
    }),
  );
  const own = await Promise.all(databases.map(databasePlan));
  const activeSide = (await session.row())?.activeSide ?? 'source';
  return [...own.flat(), ...(await switchSections(databases, activeSide))];
}

interface PlannedDatabase {
  readonly session: Session;
  readonly row: MigrationRow | undefined;
  readonly plan: Plan;
}

async function databasePlan({ session, row, plan: decided }: PlannedDatabase): Promise<PlanSection[]> {
  const sections = [
    ...(await newTablesPlan(session, row)),
    {
      title: `Tables (${decided.tables.length})`,
      lines: decided.tables.map((table) => line('source', describeTable(table))),
    },
    ...(await lanesPlan(session, decided)),
    {
      title: `Sequences (${decided.sequences.length}), set at every switch`,
      lines: decided.sequences.map((sequence) => line('source', qualified(sequence))),
    },
    ...(await asidePlan(session)),
    ...(await viewsPlan(session)),
    ...(await largeObjectsPlan(session)),
    {
      title: 'Not carried',
      lines: decided.notCarried.map(({ object, reason }) => line('source', `${object}: ${reason}`)),
    },
    ...syncPlan(session, decided),
  ];
  return sections.map((section) => ({ ...section, title: session.prefix + section.title }));
}

/** How the tables are divided: as it is, or as a sync that began now would do it. Said where there is something to divide. */
async function lanesPlan(session: Session, decided: Plan): Promise<PlanSection[]> {
  const { lanes: most, divide } = session.settings.replication;
  const existing = await existingLanes(session.source, session.migration, 'forward');
  if (existing.length > 1) return [{ title: 'Lanes', lines: await laneLines(session, existing) }];
  if (existing.length === 1 || most === 1) return [];
  const lanes = planLanes(session.migration, 'forward', decided.tables, { lanes: most, divide });
  const lines = lanes.map(({ names, tables }) => line('source', describeLane(names, tables)));
  return [{ title: `Lanes (${lanes.length} of at most ${most}, divided by ${divide})`, lines }];
}

async function laneLines({ source }: Session, lanes: readonly LaneNames[]): Promise<PlanLine[]> {
  const published = lanes.map(async (lane) => {
    const tables = (await publishedTables(source, lane.publication)) ?? [];
    return line(
      'source',
      describeLane(
        lane,
        tables.filter(({ schema }) => schema !== lane.marker.schema),
      ),
    );
  });
  return Promise.all(published);
}

const describeLane = ({ publication }: LaneNames, tables: readonly TableName[]): string =>
  `${publication}: ${tables.map(qualified).join(', ')}`;

/** What `sync` again would add. */
async function newTablesPlan(session: Session, row: MigrationRow | undefined): Promise<PlanSection[]> {
  if (row?.phase !== 'following') return [];
  const found = await newRelations(session.source, session.target, session.settings.scope);
  if (found.length === 0) return [];
  const lines = found.map((relation) =>
    line('source', `${qualified(relation)}${relation.isLatePartition ? ': a new partition' : ''}`),
  );
  return [{ title: 'New on the source since the sync: pgglide sync adds', lines }];
}

/** What is copied because no link carries it, with what the last copy by us has cost. */
async function asidePlan(session: Session): Promise<PlanSection[]> {
  const tables = await readAsideTables(session.source, session.settings.scope);
  if (tables.length === 0) return [];
  const cost = await lastCost(session, ['carry-aside-rows', 'renew-aside-rows']);
  const isEmpty = session.settings.copy.unloggedTables === 'empty';
  const lines = tables.map((table) => {
    if (table.kind === 'configuration')
      return line('both', `${qualified(table)}: the user’s rows of extension ${table.extension}`);
    const size = `unlogged, about ${table.rowEstimate} rows, ${Math.ceil(tableBytes(table) / 1e6)} MB`;
    return line('both', `${qualified(table)}: ${isEmpty ? 'stays empty (copy.unloggedTables)' : size}`);
  });
  return [
    { title: `Copied in whole at the sync and before each switch, outside its pause (${cost})`, lines },
  ];
}

/** Materialized views, with what their last refresh by us has cost. */
async function viewsPlan(session: Session): Promise<PlanSection[]> {
  const views = await readMaterializedViews(session.source, session.settings.scope);
  if (views.length === 0) return [];
  const cost = await lastCost(session, ['refresh-views', 'renew-views']);
  const lines = views.map((view) =>
    line(
      'target',
      view.isPopulated
        ? `${qualified(view)}: REFRESH${view.hasKey ? ' CONCURRENTLY' : ''}, about ${Math.ceil(view.bytes / 1e6)} MB`
        : `${qualified(view)}: not populated, stays so`,
    ),
  );
  return [
    { title: `Materialized views, refreshed before each switch and outside its pause (${cost})`, lines },
  ];
}

async function largeObjectsPlan(session: Session): Promise<PlanSection[]> {
  const { count, bytes } = await largeObjectSize(session.source);
  if (count === 0) return [];
  const cost = await lastCost(session, ['carry-large-objects', 'renew-large-objects']);
  const text = `${count} large objects, about ${Math.ceil(bytes / 1e6)} MB: compared whole on both sides, what differs carried; their writers must rest then`;
  return [
    {
      title: `Large objects, carried at the sync and before each switch, outside its pause (${cost})`,
      lines: [line('both', text)],
    },
  ];
}

/** From the journal: what such a step took last. */
async function lastCost(session: Session, steps: readonly string[]): Promise<string> {
  const events = await readEvents(session.lead.target, session.lead.migration);
  const last = events.map((event) => stepMs(event, steps)).findLast((ms) => ms !== undefined);
  return last === undefined ? 'not timed yet' : `${Math.round(last)} ms the last time`;
}

function stepMs(event: MigrationEvent, steps: readonly string[]): number | undefined {
  if (event.type === 'switchover-step' && steps.includes(event.data.step.id)) return event.data.step.ms;
  const isWork = event.type === 'step-finished' && event.data.outcome === 'changed';
  return isWork && steps.includes(event.data.step) ? event.data.ms : undefined;
}

function syncPlan(session: Session, decided: Plan): PlanSection[] {
  const context = session.context(decided);
  const lines = [FIRST_STEP, ...SYNC_STEPS].flatMap((step) =>
    step.describe(context).map((text) => line(step.id, text)),
  );
  return [{ title: 'sync', lines }];
}

const line = (on: string, statement: string): PlanLine => ({ on, statement });

const describeTable = (table: Plan['tables'][number]): string =>
  `${qualified(table)}: about ${table.rowEstimate} rows, ${Math.ceil(tableBytes(table) / 1e6)} MB` +
  (table.isPartitioned ? `, ${table.heaps.length} partitions` : '');

/** The steps of the next switch, with where requests wait. */
export async function switchPlan(session: Session, from: Side): Promise<PlanSection[]> {
  const databases = await Promise.all(
    session.databases.map(async (database): Promise<PlannedDatabase> => {
      const row = await requirePlan(database);
      return { session: database, row, plan: row.plan };
    }),
  );
  return switchSections(databases, from);
}

async function switchSections(databases: readonly PlannedDatabase[], from: Side): Promise<PlanSection[]> {
  const direction: SwitchoverDirection = from === 'source' ? 'cutover' : 'rollback';
  const contexts = await Promise.all(
    databases.map(async ({ session, plan: decided }) => ({
      prefix: session.prefix,
      from,
      to: otherSide(from),
      tables: decided.tables,
      plan: decided,
      outLanes: await outLanes(session, decided, from),
    })),
  );
  const lines = (steps: readonly SwitchoverStep[]) => steps.flatMap((step) => stepLines(step, contexts));
  const budgetMs = databases[0]?.session.settings.cutover.pauseBudgetMs ?? 0;
  const placed = (databases[0]?.session.placement()?.describe('in') ?? []).map((text) =>
    line('put-proxy-in', text),
  );
  return [
    { title: `${direction}: before the pause`, lines: [...placed, ...lines(BEFORE_PAUSE)] },
    {
      title: `${direction}: requests wait (budget ${budgetMs} ms, then all goes back)`,
      lines: lines(PAUSED.flat()),
    },
    { title: `${direction}: after the commit point`, lines: lines(AFTER_COMMIT) },
  ];
}

async function outLanes(session: Session, decided: Plan, from: Side): Promise<LaneNames[]> {
  const link = linkFrom(from);
  const existing = await existingLanes(session.side(from), session.migration, link);
  if (existing.length > 0) return existing;
  const { migration, settings } = session;
  return planLanes(migration, link, decided.tables, settings.replication).map(({ names }) => names);
}

type DescribedContext = Parameters<SwitchoverStep['describe']>[0] & { readonly prefix: string };

/** What is done once is said once. */
function stepLines(step: SwitchoverStep, contexts: readonly DescribedContext[]): PlanLine[] {
  const [lead] = contexts;
  if (step.isForAll && lead !== undefined) return step.describe(lead).map((text) => line(step.id, text));
  return contexts.flatMap((context) =>
    step.describe(context).map((text) => line(step.id, context.prefix + text)),
  );
}
