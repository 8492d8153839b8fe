/** What changes a running `sync` from outside: another process, so the runner's lock is not asked for. */

import { RefusedError } from '../domain/errors.ts';
import { tableExists } from '../state/install.ts';
import { changeTuning, readTuning, type Tuning, type TuningChange } from '../state/tuning.ts';
import type { Session } from './session.ts';

/**
 * The running sync looks every second; one that starts later finds it too.
 * @returns everything that is turned now
 * @throws {RefusedError} `not_begun`
 */
export async function tune(session: Session, change: TuningChange): Promise<Tuning> {
  if ((await session.row()) === undefined) {
    throw new RefusedError('not_begun', `Migration "${session.migration}" has not begun`, {
      hint: 'It begins with pgglide sync; before that, change the configuration.',
    });
  }
  // Each database's copy looks at its own row.
  for (const { target, migration } of session.databases)
    if (await tableExists(target, 'migration')) await changeTuning(target, migration, change);
  return (await readTuning(session.target, session.migration)) ?? {};
}
