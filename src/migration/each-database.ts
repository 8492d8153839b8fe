/** One step of a switchover in every database: the pause must not grow with their number. */

import { allEnded } from '../base/async.ts';
import { PgglideError } from '../domain/errors.ts';
import type { Switchover, SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';

/**
 * All at once. Their locks are on relations of different databases, so that no two can wait for each other. Returns or
 * throws only when it has ended in all of them.
 */
export async function runStep(step: SwitchoverStep, switchover: Switchover): Promise<string | undefined> {
  // biome-ignore lint/suspicious/noConfusingVoidType: what a step without a note returns
  const run = async (context: SwitchoverContext): Promise<string | void> => step.run(context);
  if (step.isForAll) return (await run(switchover)) ?? undefined;
  const notes = await inEach(switchover, run);
  if (notes.length === 1) return notes[0] ?? undefined;
  const named = switchover.databases.map(
    ({ oldSide }, place) => `${oldSide.address.database}: ${notes[place]}`,
  );
  return notes.some((note) => note !== undefined) ? named.join('; ') : undefined;
}

export async function undoStep(step: SwitchoverStep, switchover: Switchover): Promise<void> {
  const undo = async (context: SwitchoverContext): Promise<void> => step.undo?.(context);
  if (step.isForAll) return undo(switchover);
  await inEach(switchover, undo);
}

async function inEach<T>(
  { databases }: Switchover,
  work: (context: SwitchoverContext) => Promise<T>,
): Promise<T[]> {
  const isAlone = databases.length === 1;
  return allEnded(
    databases.map((context) =>
      naming(isAlone ? '' : `${context.oldSide.address.database}: `, () => work(context)),
    ),
  );
}

/** What ends one database's step ends the others' as their signal's reason, too. */
const named = new WeakSet<PgglideError>();

/** An error of ours tells which of several databases it is about. `prefix`: empty where there is only one. */
export async function naming<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (prefix !== '' && error instanceof PgglideError && !named.has(error)) {
      named.add(error);
      error.message = prefix + error.message;
    }
    throw error;
  }
}
