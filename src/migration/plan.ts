/** What sync and cutover would do, from the same lists that they execute. Changes nothing. */

import type { SwitchoverDirection } from '../domain/event.ts';
import { laneNames, otherSide, qualified, type Side } from '../domain/names.ts';
import { type Plan, tableBytes } from '../domain/plan.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import type { PlanLine, PlanSection } from '../observers/plan-text.ts';
import { planTables } from '../schema/plan-tables.ts';
import { FIRST_STEP, SYNC_STEPS } from './phases.ts';
import type { Session } from './session.ts';
import { AFTER_COMMIT, BEFORE_PAUSE, PAUSED } from './switchover.ts';

/** The whole path: tables, the steps of sync, the steps of a cutover. */
export async function plan(session: Session): Promise<PlanSection[]> {
  const row = await session.row();
  const decided = row?.plan ?? (await planTables(session.source, session.settings.scope));
  return [
    {
      title: `Tables (${decided.tables.length})`,
      lines: decided.tables.map((table) => line('source', describeTable(table))),
    },
    {
      title: `Sequences (${decided.sequences.length}), set at every switch`,
      lines: decided.sequences.map((sequence) => line('source', qualified(sequence))),
    },
    {
      title: 'Not carried',
      lines: decided.notCarried.map(({ object, reason }) => line('source', `${object}: ${reason}`)),
    },
    ...syncPlan(session, decided),
    ...switchPlan(session, decided, row?.activeSide ?? 'source'),
  ];
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
export function switchPlan(session: Session, decided: Plan, from: Side): PlanSection[] {
  const direction: SwitchoverDirection = from === 'source' ? 'cutover' : 'rollback';
  const context = {
    from,
    to: otherSide(from),
    tables: decided.tables,
    plan: decided,
    outLanes: [laneNames(session.migration, from === 'source' ? 'forward' : 'reverse', 1)],
  };
  const lines = (steps: readonly SwitchoverStep[]) =>
    steps.flatMap((step) => step.describe(context).map((text) => line(step.id, text)));
  return [
    { title: `${direction}: before the pause`, lines: lines(BEFORE_PAUSE) },
    {
      title: `${direction}: requests wait (budget ${session.settings.cutover.pauseBudgetMs} ms, then all goes back)`,
      lines: lines(PAUSED.flat()),
    },
    { title: `${direction}: after the commit point`, lines: lines(AFTER_COMMIT) },
  ];
}
