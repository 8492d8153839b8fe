/** Observe, act, observe ... until the step is satisfied. */

import { DeadlineError, sleep } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import { PgglideError, UnexpectedError } from '../domain/errors.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import { sqlState } from '../postgres/connection.ts';
import { DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, SERIALIZATION_FAILURE } from '../postgres/sqlstate.ts';
import type { Action, Step, StepContext } from './step.ts';

/** Another session was in the way: what was being done is tried again. */
const TRY_AGAIN: ReadonlySet<string> = new Set([
  LOCK_NOT_AVAILABLE,
  DEADLOCK_DETECTED,
  SERIALIZATION_FAILURE,
]);
const MAX_FAILURES_IN_A_ROW = 20;
const POLL_MS = 100;

export type Outcome = 'changed' | 'unchanged';

/** @throws whatever the step throws, after a `step-failed` event */
export async function reconcile<Facts, Context extends StepContext>(
  step: Step<Facts, Context>,
  context: Context,
): Promise<Outcome> {
  const started = performance.now();
  const { id, title } = step;
  try {
    const outcome = await run(step, context);
    const ms = Math.round(performance.now() - started);
    await context.events.emit('step-finished', { step: id, title, outcome, ms });
    return outcome;
  } catch (error) {
    const code = error instanceof PgglideError ? error.code : 'unexpected';
    const message = messageOf(error);
    await context.events.emit('step-failed', { step: id, title, code, message }).catch(() => undefined);
    throw error;
  }
}

async function run<Facts, Context extends StepContext>(
  step: Step<Facts, Context>,
  context: Context,
): Promise<Outcome> {
  const started = performance.now();
  let observation = await step.observe(context);
  if (observation.satisfied) return 'unchanged';
  await context.events.emit('step-started', { step: step.id, title: step.title });
  let shown: string | undefined;
  const tries: Tries = { step: step.id, failuresInARow: 0 };
  while (!observation.satisfied) {
    context.signal.throwIfAborted();
    const actions = step.actions(context, observation.facts);
    const isDone = await performPatiently(actions, context, tries);
    if (step.isProvenByActing && isDone && actions.length > 0) return 'changed';
    if (actions.length === 0) {
      if (observation.waitingFor !== undefined && observation.waitingFor !== shown) {
        shown = observation.waitingFor;
        await context.events.emit('step-waiting', { step: step.id, waitingFor: shown });
      }
      await sleep(POLL_MS, context.signal);
    }
    if (step.deadlineMs !== undefined && performance.now() - started > step.deadlineMs) {
      throw new UnexpectedError(
        'step_timeout',
        `"${step.title}" did not come true within ${step.deadlineMs / 1000} s${observation.waitingFor ? `, waiting for ${observation.waitingFor}` : ''}`,
        {
          hint: 'Run the same command again; it goes on where it stopped.',
          cause: new DeadlineError(step.id, step.deadlineMs),
        },
      );
    }
    observation = await step.observe(context);
  }
  return 'changed';
}

interface Tries {
  readonly step: string;
  failuresInARow: number;
}

/**
 * @returns false where another session was in the way. An action may have done a part by then, which would be done again, or undone,
 * by what was observed before: the caller observes anew.
 */
async function performPatiently(
  actions: readonly Action[],
  context: StepContext,
  tries: Tries,
): Promise<boolean> {
  for (const action of actions) {
    context.signal.throwIfAborted();
    try {
      await perform(action, context);
      tries.failuresInARow = 0;
    } catch (error) {
      tries.failuresInARow += 1;
      const { step, failuresInARow } = tries;
      if (failuresInARow >= MAX_FAILURES_IN_A_ROW || !TRY_AGAIN.has(sqlState(error) ?? '')) throw error;
      await context.events.emit('step-waiting', { step, waitingFor: 'a lock that another session holds' });
      await sleep(Math.min(2000, 100 * failuresInARow), context.signal);
      return false;
    }
  }
  return true;
}

/** Runs one action. Statements without parameters may be several, in one transaction that never makes others wait long. */
async function perform(action: Action, context: StepContext): Promise<void> {
  if ('does' in action) return action.run();
  const connection = action.on === 'source' ? context.source : context.target;
  const { statement, outwaitsVacuum } = action;
  if (statement.values.length > 0) await connection.execute(statement);
  else await withBriefLock(connection, statement, { signal: context.signal, outwaitsVacuum });
}
