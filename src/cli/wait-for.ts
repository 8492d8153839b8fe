/** `wait`: what is waited for, and the waiting. */

import { DeadlineError, until } from '../base/async.ts';
import { UsageError, WaitTimeoutError } from '../domain/errors.ts';
import { PHASES } from '../domain/phase.ts';
import type { MigrationStatus } from '../observers/status.ts';

export interface Condition {
  readonly text: string;
  isMet(status: MigrationStatus): boolean;
}

/** @throws {UsageError} `bad_usage` */
export function parseCondition(text: string | boolean | undefined): Condition {
  const [name, value] = String(text ?? '').split('=');
  if (name === 'verified' && value === undefined) {
    return { text: 'verified', isMet: (status) => status.verified?.equal === true };
  }
  const wanted = name === 'phase' ? value : name;
  const phase = PHASES.find((candidate) => candidate === wanted);
  if (phase !== undefined) return { text: phase, isMet: (status) => status.phase === phase };
  throw new UsageError('bad_usage', 'wait needs --for=phase=PHASE, --for=verified or --for=switched', {
    hint: `A phase is one of ${PHASES.join(', ')}.`,
  });
}

/** @throws {WaitTimeoutError} `wait_timed_out` */
export async function waitFor(
  look: () => Promise<MigrationStatus>,
  condition: Condition,
  options: {
    readonly timeoutMs: number | undefined;
    readonly intervalMs: number;
    readonly signal: AbortSignal;
  },
): Promise<MigrationStatus> {
  let last: MigrationStatus | undefined;
  const probe = async () => {
    last = await look();
    return condition.isMet(last) ? last : undefined;
  };
  try {
    return await until(condition.text, probe, {
      ...options,
      timeoutMs: options.timeoutMs ?? Number.POSITIVE_INFINITY,
    });
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    throw new WaitTimeoutError('wait_timed_out', `Not ${condition.text} within ${options.timeoutMs} ms`, {
      hint: `The migration is ${last?.phase ?? 'unknown'}. Give a longer --timeout, or look at pgglide status.`,
      cause: error,
    });
  }
}
