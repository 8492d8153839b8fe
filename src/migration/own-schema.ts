/** A newer version of the tool goes on with what an older one has begun. */

import { reconcile } from '../engine/reconcile.ts';
import { FIRST_STEP } from './phases.ts';
import type { Session } from './session.ts';

/** Before a command that is not `sync` reads or writes our own tables: the files that came with this version are installed first. */
export async function updateOwnSchema(session: Session): Promise<void> {
  for (const database of session.databases) {
    const context = database.context();
    const { satisfied } = await FIRST_STEP.observe(context);
    if (!satisfied) await reconcile(FIRST_STEP, context);
  }
}
