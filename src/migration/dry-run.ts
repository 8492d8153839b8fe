/** `cutover --dry-run` and `rollback --dry-run`: the steps, and what the guards of the real command would say now. */

import { PgglideError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import type { PlanText } from '../observers/plan-text.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { checkDrift } from '../steps/check-drift.ts';
import { checkReadiness, requireReady } from '../steps/check-readiness.ts';
import { checkRoles } from '../steps/check-roles.ts';
import { putProxyIn } from '../steps/put-proxy-in.ts';
import { naming, runStep } from './each-database.ts';
import { guardVerified } from './guard-verified.ts';
import { switchPlan } from './plan.ts';
import { requirePrimaries } from './primaries.ts';
import { planNow } from './renew-plan.ts';
import { type PlannedRow, requireRow } from './rows.ts';
import type { Session } from './session.ts';
import { doneBefore, type SwitchOptions } from './switch.ts';
import { switchoverContext } from './switchover-context.ts';
import { requireNotGoneBack } from './went-back.ts';

export interface DryRun extends PlanText {
  /** What the real command would refuse with now; undefined: the guards let it through. */
  readonly refusal: PgglideError | undefined;
}

type Direction = 'cutover' | 'rollback';

/**
 * Changes nothing but a marker, which measures the lag: and that is why it takes the runner's lock, a switch that waits for
 * its own would take another's for a loss.
 * @throws {RefusedError} `wrong_phase`: there is nothing to plan
 */
export async function dryRun(
  session: Session,
  direction: Direction,
  options: SwitchOptions,
): Promise<DryRun> {
  await takeRunnerLock(session.target, session.migration);
  const first = await session.row();
  if (first?.switchover !== undefined)
    return asIs(`the ${first.switchover.direction} that was interrupted is finished or undone first`);
  const done = await doneBefore(session, direction);
  if (done?.note !== undefined) return asIs(done.note);
  const row = await requireRow(session, direction);
  return {
    sections: await switchPlan(session, row.activeSide),
    refusal: await refusal(() => guard(session, row, direction, options)),
  };
}

const asIs = (title: string): DryRun => ({ sections: [{ title, lines: [] }], refusal: undefined });

async function refusal(check: () => Promise<void>): Promise<PgglideError | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (error instanceof PgglideError) return error;
    throw error;
  }
}

async function guard(
  session: Session,
  row: PlannedRow,
  direction: Direction,
  options: SwitchOptions,
): Promise<void> {
  requirePrimaries(session);
  await guardVerified(session, direction, options);
  for (const database of session.databases)
    await naming(database.prefix, () => requireNotGoneBack(database, row.activeSide));
  const { plan } = await planNow(session, row.plan);
  await using traffic = session.openTraffic();
  if (await isInPlace(session, row)) await traffic.observe();
  const context = await switchoverContext(session, { ...row, plan }, direction, traffic);
  for (const step of GUARDS) await runStep(step, context);
}

/** One that the real command puts in first cannot be asked before. */
async function isInPlace(session: Session, { activeSide }: PlannedRow): Promise<boolean> {
  const placement = session.placement();
  if (placement === undefined) return true;
  return (await putProxyIn.observe({ ...session.context(), placement, activeSide })).satisfied;
}

const GUARDS: readonly SwitchoverStep[] = [{ ...checkReadiness, run: requireReady }, checkRoles, checkDrift];
