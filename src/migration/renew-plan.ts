/** The plan as both catalogs have it now: DDL that was run on both sides changes columns, sequences and names. */

import { PrerequisiteError } from '../domain/errors.ts';
import { followTables, type Renaming } from '../domain/follow-tables.ts';
import { linkFrom, otherSide, qualified } from '../domain/names.ts';
import type { Phase } from '../domain/phase.ts';
import type { Plan, PlannedTable } from '../domain/plan.ts';
import { isLinked, type LinkedTables, linkedTables } from '../postgres/linked-tables.ts';
import { locateTables } from '../postgres/locate-tables.ts';
import { excludedTables, publishedByUs } from '../postgres/present.ts';
import { planMigration } from '../schema/plan-migration.ts';
import { forgetUnplanned, renameTables } from '../state/copy-progress.ts';
import { savePlan } from '../state/migration-row.ts';
import type { Session } from './session.ts';

/** In these the link carries every table of the plan that was not made anew. */
const FOLLOWS: ReadonlySet<Phase> = new Set(['following', 'switched']);

export interface PlanNow {
  /** The same tables, as they are now. */
  readonly plan: Plan;
  /** Of these, those that both sides have. */
  readonly whole: readonly PlannedTable[];
  readonly renamed: readonly Renaming[];
  /** Tables of the source that have not joined, also those whose DDL somebody has run on both sides by hand. */
  readonly added: readonly PlannedTable[];
  /** The one that runs: from the active side. */
  readonly link: LinkedTables;
}

/**
 * Reads only. A table that was made anew and that the scope leaves out since is none of ours any more.
 * @throws {PrerequisiteError} `table_renamed`: on one side only, or before the plan knew by what to know it again
 */
export async function planNow(session: Session, plan: Plan): Promise<PlanNow> {
  const { source, target, migration, settings } = session;
  const { activeSide, phase } = (await session.row()) ?? { activeSide: 'source', phase: 'new' };
  const known = (side: 'source' | 'target') =>
    plan.tables.map(({ schema, name, oids }) => ({ schema, name, oid: oids?.[side] }));
  const [now, onSource, onTarget, link, publishedByAny, excluded] = await Promise.all([
    planMigration(source, target, settings.scope),
    locateTables(source, known('source')),
    locateTables(target, known('target')),
    linkedTables(
      session.side(activeSide),
      session.side(otherSide(activeSide)),
      migration,
      linkFrom(activeSide),
    ),
    publishedByUs(source),
    excludedTables(session.side(activeSide), settings.scope),
  ]);
  const followed = followTables(plan.tables, { source: onSource, target: onTarget }, now.tables);
  const isOurs = (table: PlannedTable) =>
    !FOLLOWS.has(phase) || !excluded.has(qualified(table)) || isLinked(link, table);
  const names = new Set(followed.tables.map(qualified));
  assertNoneRenamed(
    followed.torn.map(
      (torn) => `${qualified(torn.source)} of the source is ${qualified(torn.target)} on the target`,
    ),
    followed.torn.length > 0
      ? []
      : [...link.published].filter((name) => !names.has(name) && !excluded.has(name)),
  );
  return {
    plan: session.withOthers({ ...now, tables: followed.tables.filter(isOurs) }),
    whole: followed.whole.filter(isOurs),
    renamed: followed.renamed,
    added: now.tables.filter(
      (table) => !names.has(qualified(table)) && !publishedByAny.has(qualified(table)),
    ),
    link,
  };
}

/** In a transaction of the caller's, with all that goes by the old names, and without what is noted of tables that left. */
export async function keepPlan(
  { target, migration }: Session,
  plan: Plan,
  renamed: readonly Renaming[],
): Promise<void> {
  if (renamed.length > 0) await renameTables(target, migration, renamed);
  await forgetUnplanned(target, migration, plan.tables);
  await savePlan(target, migration, plan);
}

/** For the commands that compare and switch. */
export async function renewPlan(session: Session, saved: Plan): Promise<Plan> {
  const { plan, renamed } = await planNow(session, saved);
  await session.target.transaction(() => keepPlan(session, plan, renamed));
  return plan;
}

function assertNoneRenamed(torn: readonly string[], nameless: readonly string[]): void {
  if (torn.length > 0)
    throw new PrerequisiteError('table_renamed', `Renamed or moved on one side only: ${torn.join('; ')}`, {
      hint: 'Rename it on the other side too, or back; then the same command again.',
      facts: { torn },
    });
  if (nameless.length > 0)
    throw new PrerequisiteError(
      'table_renamed',
      `Replicated, and not in the plan under this name: ${nameless.join(', ')}`,
      {
        hint: 'Renamed or moved before pgglide knew its tables by more than their names: give it its old name on both sides, run pgglide sync, then rename it on both sides again.',
        facts: { tables: nameless },
      },
    );
}
