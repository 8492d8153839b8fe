import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { ddlSign } from '../schema/ddl-sign.ts';

/**
 * Behind the barrier: has DDL been run on the old side since check-drift-again? A table of these moments would stay behind with
 * its rows, and no comparison would miss it. One quick statement beside the drain, which a new column would keep waiting in vain.
 *
 * Not seen: a table whose CREATE is not committed yet, in a session that goes around the traffic switch.
 *
 * @throws {SwitchoverAbortedError} `schema_drift`
 */
export const checkLateDdl: SwitchoverStep = {
  id: 'check-late-ddl',
  title: 'No DDL in the last moments',
  describe: ({ from }) => [
    `on the ${from}: ask whether DDL was noted, or tables changed, since the last comparison`,
  ],

  async run({ facts, settings, from }) {
    const { ddlWatch, ddlSign: known } = facts;
    if (ddlWatch === undefined || known === undefined) throw new Error('check-drift-again has not run');
    if ((await ddlSign(ddlWatch, settings.scope)) === known) return;
    throw new SwitchoverAbortedError(
      'schema_drift',
      `DDL was run on the ${from} in the last moments before the pause: it is not replicated`,
      { hint: 'Try again while nobody runs DDL: the next attempt names what has changed.' },
    );
  },
};
