/** A later sync: tables and partitions that were created on the source meanwhile join the migration. */

import { PrerequisiteError } from '../domain/errors.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Plan, PlannedTable } from '../domain/plan.ts';
import type { Scope } from '../domain/scope.ts';
import { reconcile } from '../engine/reconcile.ts';
import type { Connection } from '../postgres/connection.ts';
import { dropFence } from '../postgres/fence.ts';
import { isLinked, type LinkedTables } from '../postgres/linked-tables.ts';
import { absentFrom, presentObjects } from '../postgres/present.ts';
import { ident } from '../postgres/sql.ts';
import { dumpForTarget } from '../schema/dump-for-target.ts';
import { referencedTable } from '../schema/dump-names.ts';
import { type NewRelation, newRelations } from '../schema/new-relations.ts';
import { isNeeded, statementsOfNew, unknownStatements } from '../schema/new-statements.ts';
import { withoutIdentity } from '../schema/plan-tables.ts';
import type { SchemaStatement } from '../schema/statement.ts';
import { forgetTablesSql, isCopied, readCopyProgress } from '../state/copy-progress.ts';
import {
  countStatements,
  markStatementsDone,
  readOpenStatements,
  readStatements,
  saveStatements,
} from '../state/schema-progress.ts';
import { catchUp } from '../steps/catch-up.ts';
import { refuseStrayRows } from './refuse-stray-rows.ts';
import { keepPlan, type PlanNow, planNow } from './renew-plan.ts';
import type { Session } from './session.ts';

/**
 * Brings the plan up to date, adds what is new to it and its DDL to the statements that sync executes; the steps of sync
 * do the rest (a table is copied in a lane of its own, a partition's rows come through its root). Tables that were
 * dropped on both sides leave the plan; those that were made anew under their name, which no link carries, are copied
 * anew. Before the schema is loaded there is nothing to add.
 *
 * @returns the plan as it is now, and whether anything has to be made
 * @throws {PrerequisiteError} `new_table_without_identity`, `table_renamed`
 * @throws {RefusedError} `rows_on_passive_side`: written there while it was the active side, they are on no other
 */
export async function extendPlan(
  session: Session,
  saved: Plan,
): Promise<{ readonly plan: Plan; readonly isExtended: boolean }> {
  const { source, target, migration, settings } = session;
  const counted = await countStatements(target, migration);
  if (counted.all === 0 || counted.openPreData > 0) return { plan: saved, isExtended: false };
  const [relations, now] = await Promise.all([
    newRelations(source, target, settings.scope),
    planNow(session, saved),
  ]);
  const { renamed, added } = now;
  await assertIdentified(source, settings.scope, [...now.plan.tables, ...added], [...relations, ...added]);
  await refuseStrayRows(session, 'target', added);
  await skipStatementsOfGone(session);
  const statements = relations.length === 0 ? [] : await newStatements(session, relations);
  const madeAnew = await tablesMadeAnew(session, now);
  const isExtended = added.length + statements.length + madeAnew.length > 0;
  // No cutover may begin before what is added is copied, also when this run is killed in between.
  if (isExtended) await enterSyncing(session);
  if (isStillFed(now.link, madeAnew)) await reconcile(catchUp, session.context(saved));
  // A detached partition keeps the fence that would refuse its copy; sync raises it again at its end.
  await dropFence(target, [...added, ...madeAnew]);
  const plan = { ...now.plan, tables: [...now.plan.tables, ...added] };
  await target.transaction(async () => {
    await saveStatements(target, migration, statements);
    await keepPlan(session, plan, renamed);
    // One of that name may have been copied before it was dropped.
    await target.script(forgetTablesSql(migration, [...added, ...madeAnew]));
  });
  if (madeAnew.length > 0) await tellCopiedAnew(session, madeAnew);
  return { plan, isExtended };
}

/** Of tables that neither side has any more, dropped while the copy was not through yet. */
async function skipStatementsOfGone({ source, target, migration }: Session): Promise<void> {
  const open = await readOpenStatements<SchemaStatement>(target, migration, 'post-data');
  const tablesOf = ({ table, sql }: SchemaStatement) =>
    [table, referencedTable(sql)].filter((name) => name !== undefined);
  const names = [...new Set(open.flatMap(tablesOf))];
  if (names.length === 0) return;
  const gone = new Set(await absentFrom(source, await absentFrom(target, names)));
  const keyOf = ({ table, name }: SchemaStatement) => `${table} ${name}`;
  // A foreign key is made and validated by a statement each.
  const keys = new Set(open.filter((one) => tablesOf(one).some((name) => gone.has(name))).map(keyOf));
  await markStatementsDone(
    target,
    migration,
    open.filter((one) => keys.has(keyOf(one))),
  );
}

async function enterSyncing(session: Session): Promise<void> {
  if ((await session.row())?.phase === 'following') await session.changePhase('following', 'syncing');
}

/** Copied once, and made anew on a side since: its rows are those of a table that is gone. */
async function tablesMadeAnew(
  { target, migration }: Session,
  { whole, renamed, link }: PlanNow,
): Promise<PlannedTable[]> {
  const newNames = new Map(renamed.map(({ from, to }) => [qualified(from), qualified(to)]));
  const progress = (await readCopyProgress(target, migration)).filter(isCopied).map(qualified);
  const copied = new Set(progress.map((name) => newNames.get(name) ?? name));
  // In a sync that was killed a lane may have no subscription yet.
  const isCarried = (table: TableName) =>
    link.isSubscribed ? isLinked(link, table) : link.published.has(qualified(table));
  return whole.filter((table) => copied.has(qualified(table)) && !isCarried(table));
}

/** What was written to a table of the source that is gone, and is on its way yet, would come into the one that has its name now. */
const isStillFed = ({ isSubscribed, followed }: LinkedTables, tables: readonly TableName[]): boolean =>
  isSubscribed && tables.some((table) => followed.has(qualified(table)));

const tellCopiedAnew = ({ databaseEvents }: Session, tables: readonly TableName[]): Promise<void> =>
  databaseEvents.emit('warning', {
    code: 'copied_anew',
    message: `Dropped and created again on one side since the copy, so that no link carries it: ${tables.map(qualified).join(', ')}. Its rows on the target are replaced by those of the source`,
  });

/** Published without one, the application's own UPDATE would fail at once. @throws {PrerequisiteError} `new_table_without_identity` */
export async function assertIdentified(
  publisher: Connection,
  scope: Scope,
  tables: readonly PlannedTable[],
  relations: readonly TableName[],
): Promise<void> {
  const names = new Set(relations.map(qualified));
  const nameless = tables.filter(
    (table) =>
      table.replicaIdentity === 'none' &&
      [table, ...table.heaps].some((relation) => names.has(qualified(relation))),
  );
  if (nameless.length === 0) return;
  // Of a partition tree it may be one partition only.
  const members = new Set(nameless.flatMap((table) => [table, ...table.heaps]).map(qualified));
  const culprits = (await withoutIdentity(publisher, scope)).filter((one) => members.has(qualified(one)));
  const list = culprits.map(qualified).join(', ');
  const remedy = culprits.map(
    ({ schema, name }) => `ALTER TABLE ${ident(schema, name).text} REPLICA IDENTITY FULL;`,
  );
  throw new PrerequisiteError('new_table_without_identity', `New, and without a replica identity: ${list}`, {
    hint: `Published like this, its UPDATE and DELETE fail. Give it a primary key, or: ${remedy.join(' ')} Then run pgglide sync again.`,
    facts: { tables: culprits.map(qualified) },
  });
}

async function newStatements(
  { source, target, migration, settings, signal }: Session,
  relations: readonly NewRelation[],
): Promise<SchemaStatement[]> {
  const known = await readStatements<SchemaStatement>(target, migration);
  const dumped = await dumpForTarget({ source, target }, settings.source, {
    ...settings.scope,
    signal,
  });
  const unknown = unknownStatements(dumped, known, relations);
  const needed = unknown.filter(isNeeded);
  const there = await presentObjects(target, needed);
  const missing = needed.filter((_, place) => !there.has(place));
  const first = Math.max(-1, ...known.map(({ n }) => n)) + 1;
  return statementsOfNew(unknown, relations, missing).map((statement, place) => ({
    ...statement,
    n: first + place,
  }));
}
