/** What the steps of one switchover share. */

import type { SwitchoverDirection } from '../domain/event.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import type { Plan } from '../domain/plan.ts';
import type { SwitchoverContext, SwitchoverFacts } from '../engine/switchover-step.ts';
import { existingLanes } from '../postgres/lane.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import type { Session } from './session.ts';

export async function switchoverContext(
  session: Session,
  row: { readonly plan: Plan; readonly epoch: number; readonly activeSide: Side },
  direction: SwitchoverDirection,
  traffic: TrafficSwitch,
  signal: AbortSignal = session.signal,
): Promise<SwitchoverContext> {
  const from = row.activeSide;
  const to = otherSide(from);
  const oldSide = session.side(from);
  const { pauseBudgetMs } = session.settings.cutover;
  const facts = emptyFacts();
  return {
    ...session.context(row.plan),
    signal,
    direction,
    from,
    to,
    oldSide,
    newSide: session.side(to),
    epoch: row.epoch + 1,
    outLanes: await existingLanes(oldSide, session.migration, linkFrom(from)),
    tables: row.plan.tables.map(({ schema, name }) => ({ schema, name })),
    traffic,
    pauseBudgetMs,
    facts,
    remainingMs: () =>
      Math.max(0, pauseBudgetMs - (performance.now() - (facts.pauseStartedMs ?? performance.now()))),
  };
}

const emptyFacts = (): SwitchoverFacts => ({
  returnLanes: undefined,
  returnOrigins: [],
  largeObjects: undefined,
  barrier: undefined,
  lift: undefined,
  pins: undefined,
  barrierHeld: false,
  fenceBegun: false,
  liftHeld: false,
  drainedLsn: '0/0',
  snapshots: undefined,
  sequenceCount: 0,
  pauseStartedMs: undefined,
  pausedAt: undefined,
  resumedAt: undefined,
  waits: undefined,
  lastStep: '',
  isCommitted: false,
  isUndone: false,
  pauseMs: 0,
});
