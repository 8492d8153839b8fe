/** What the steps of one switchover share. */

import type { SwitchoverDirection } from '../domain/event.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import type { Plan } from '../domain/plan.ts';
import type { Switchover, SwitchoverContext, SwitchoverFacts } from '../engine/switchover-step.ts';
import { existingLanes } from '../postgres/lane.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import { requirePlan } from './rows.ts';
import type { Session } from './session.ts';

interface Begun {
  readonly plan: Plan;
  readonly epoch: number;
  readonly activeSide: Side;
}

/** @throws {UnexpectedError} `plan_missing` of a database that moves with the lead */
export async function switchoverContext(
  session: Session,
  row: Begun,
  direction: SwitchoverDirection,
  traffic: TrafficSwitch,
  signal: AbortSignal = session.signal,
): Promise<Switchover> {
  const { pauseBudgetMs } = session.settings.cutover;
  const facts = emptyFacts();
  // One pause for all: its time runs where it is held.
  const remainingMs = () =>
    Math.max(0, pauseBudgetMs - (performance.now() - (facts.pauseStartedMs ?? performance.now())));
  const common = { lead: session.context(row.plan), signal, direction, traffic, pauseBudgetMs, remainingMs };
  const lead: SwitchoverContext = { ...(await ownContext(session, row)), ...common, facts };
  const others = session.others.map(async (other): Promise<SwitchoverContext> => {
    const { plan } = await requirePlan(other);
    return { ...(await ownContext(other, { ...row, plan })), ...common, facts: emptyFacts() };
  });
  const databases = [lead, ...(await Promise.all(others))];
  // What happens to all of them together is said of none of them.
  return { ...lead, events: session.events, databases };
}

async function ownContext(session: Session, { plan, epoch, activeSide: from }: Begun) {
  const to = otherSide(from);
  const oldSide = session.side(from);
  return {
    ...session.context(plan),
    from,
    to,
    oldSide,
    newSide: session.side(to),
    epoch: epoch + 1,
    outLanes: await existingLanes(oldSide, session.migration, linkFrom(from)),
    tables: plan.tables.map(({ schema, name, isPartitioned }) => ({ schema, name, isPartitioned })),
  };
}

const emptyFacts = (): SwitchoverFacts => ({
  returnLanes: undefined,
  returnOrigins: [],
  largeObjects: undefined,
  ddlSign: undefined,
  barrier: undefined,
  lift: undefined,
  ddlWatch: undefined,
  deadlockTimeoutMs: 0,
  pins: undefined,
  unfenced: [],
  barrierHeld: false,
  fenceBegun: false,
  liftHeld: false,
  drainedLsn: '0/0',
  arrivedLsn: undefined,
  snapshots: undefined,
  sequenceCount: 0,
  pauseStartedMs: undefined,
  pausedAt: undefined,
  resumedAt: undefined,
  waits: undefined,
  untold: [],
  lastStep: '',
  isCommitted: false,
  isUndone: false,
  pauseMs: 0,
});
