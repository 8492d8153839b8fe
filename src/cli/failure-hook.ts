/** Runs the hook on-failure when a command has ended with an error, as far as its configuration could be read. */

import { InterruptedError, type PgglideError, UnprovenError } from '../domain/errors.ts';
import { failureMoment } from '../hooks/moments.ts';
import type { CommandContext } from './command.ts';
import { openHooks } from './open-hooks.ts';

/** `error` is undefined where the result itself is the failure: both sides differ. */
export async function runFailureHook(
  context: CommandContext,
  command: string,
  exitCode: number,
  error: PgglideError | undefined,
): Promise<void> {
  const { settings } = context.known;
  // Who stops a command knows that it did not end.
  if (settings === undefined || error instanceof InterruptedError) return;
  const moment = failureMoment(command, exitCode, error, new Date().toISOString());
  const side = error instanceof UnprovenError ? 'unknown' : undefined;
  await openHooks(context, settings)?.failed(moment, side);
}
