/** A later sync: tables and partitions that were created on the source meanwhile join the migration. */

import { PrerequisiteError } from '../domain/errors.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Plan, PlannedTable } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import { dropFence } from '../postgres/fence.ts';
import { dumpForTarget } from '../schema/dump-for-target.ts';
import {
  type NewRelation,
  newRelations,
  presentObjects,
  presentOn,
  publishedByUs,
} from '../schema/new-relations.ts';
import { isNeeded, statementsOfNew, unknownStatements } from '../schema/new-statements.ts';
import { planMigration } from '../schema/plan-migration.ts';
import type { SchemaStatement } from '../schema/statement.ts';
import { forgetTablesSql } from '../state/copy-progress.ts';
import { savePlan } from '../state/migration-row.ts';
import { countStatements, readStatements, saveStatements } from '../state/schema-progress.ts';
import type { Session } from './session.ts';

/**
 * Adds what is new to the plan and its DDL to the statements that sync executes; the steps of sync do the rest (a table
 * is copied in a lane of its own, a partition's rows come through its root). Tables that were dropped on both sides
 * leave the plan. Before the schema is loaded there is nothing to add.
 *
 * @returns the plan as it is now, and whether anything has to be made
 * @throws {PrerequisiteError} `new_table_without_identity`
 */
export async function extendPlan(
  session: Session,
  plan: Plan,
): Promise<{ readonly plan: Plan; readonly isExtended: boolean }> {
  const { source, target, migration, settings } = session;
  const known = await countStatements(target, migration);
  if (known.all === 0 || known.openPreData > 0) return { plan, isExtended: false };
  const [relations, now] = await Promise.all([
    newRelations(source, target, settings.scope),
    planMigration(source, target, settings.scope),
  ]);
  const [kept, added] = await Promise.all([stillThere(session, plan), notYetPlanned(source, plan, now)]);
  if (relations.length + added.length === 0 && kept.length === plan.tables.length)
    return { plan, isExtended: false };
  assertIdentified(now, [...relations, ...added]);
  const statements = relations.length === 0 ? [] : await newStatements(session, relations);
  const isExtended = added.length + statements.length > 0;
  // No cutover may begin before what is added is copied, also when this run is killed in between.
  if (isExtended) await session.changePhase('following', 'syncing');
  // A detached partition keeps the fence that would refuse its copy; sync raises it again at its end.
  await dropFence(target, added);
  const extended = session.withOthers({ ...now, tables: [...kept, ...added] });
  await target.transaction(async () => {
    await saveStatements(target, migration, statements);
    // One of that name may have been copied before it was dropped.
    await target.script(forgetTablesSql(migration, added));
    await savePlan(target, migration, extended);
  });
  return { plan: extended, isExtended };
}

async function stillThere({ source, target }: Session, { tables }: Plan): Promise<PlannedTable[]> {
  const [onSource, onTarget] = await Promise.all([presentOn(source, tables), presentOn(target, tables)]);
  return tables.filter((table) => onSource.has(qualified(table)) || onTarget.has(qualified(table)));
}

/** Also those whose DDL somebody has run on both sides by hand. */
async function notYetPlanned(source: Connection, plan: Plan, now: Plan): Promise<PlannedTable[]> {
  const known = new Set([...plan.tables.map(qualified), ...(await publishedByUs(source))]);
  return now.tables.filter((table) => !known.has(qualified(table)));
}

/** Published without one, the application's own UPDATE would fail at once. */
function assertIdentified(now: Plan, relations: readonly TableName[]): void {
  const names = new Set(relations.map(qualified));
  const nameless = now.tables.filter(
    (table) =>
      table.replicaIdentity === 'none' &&
      [table, ...table.heaps].some((relation) => names.has(qualified(relation))),
  );
  if (nameless.length === 0) return;
  const list = nameless.map(qualified).join(', ');
  throw new PrerequisiteError(
    'new_table_without_identity',
    `New on the source, and without a replica identity: ${list}`,
    {
      hint: 'Published like this, its UPDATE and DELETE would fail. Give it a primary key (or ALTER TABLE ... REPLICA IDENTITY FULL), then run pgglide sync again.',
      facts: { tables: nameless.map(qualified) },
    },
  );
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
  const unknown = unknownStatements(dumped, known);
  const needed = unknown.filter(isNeeded);
  const there = await presentObjects(target, needed);
  const missing = needed.filter((_, place) => !there.has(place));
  const first = Math.max(-1, ...known.map(({ n }) => n)) + 1;
  return statementsOfNew(unknown, relations, missing).map((statement, place) => ({
    ...statement,
    n: first + place,
  }));
}
