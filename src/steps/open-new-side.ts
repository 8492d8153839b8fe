import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { lockLimitsSql } from '../postgres/barrier.ts';
import { sqlState } from '../postgres/connection.ts';
import { rollBack } from '../postgres/roll-back.ts';
import { list, sql } from '../postgres/sql.ts';
import { LOCK_NOT_AVAILABLE } from '../postgres/sqlstate.ts';
import { disableSubscriptionSql } from '../postgres/subscription.ts';

/**
 * Disables the link that fed the new side, in a transaction that stays open until the commit point has been written: all
 * that could wait or fail happens now, while the way back is open, and going back is a ROLLBACK. Locks the subscription only.
 *
 * @throws {SwitchoverAbortedError} `new_side_busy`
 */
export const openNewSide: SwitchoverStep = {
  id: 'open-new-side',
  title: 'New side ready to take writes',
  describe: ({ to, outLanes }) => [
    `on the ${to}, not committed:`,
    ...outLanes.map((lane) => `  ${disableSubscriptionSql(lane.subscription).text}`),
  ],

  async run({ facts, to, outLanes, remainingMs }) {
    const { lift: session } = facts;
    if (session === undefined) throw new Error('open-sessions has not run');
    const disable = outLanes.map((lane) => disableSubscriptionSql(lane.subscription));
    facts.liftHeld = true;
    try {
      await session.script(list([sql`BEGIN`, lockLimitsSql(remainingMs()), ...disable], '; '));
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
      throw new SwitchoverAbortedError(
        'new_side_busy',
        `A session of the ${to} holds the subscription that feeds it`,
        {
          hint: `Somebody alters it in an open transaction: see pg_locks on the ${to}.`,
          cause: error,
        },
      );
    }
  },

  async undo({ facts, to, open }) {
    const { lift } = facts;
    if (lift === undefined || !facts.liftHeld) return;
    facts.liftHeld = false;
    await rollBack(lift, () => open(to, 'control'));
  },
};
