import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { lockLimitsSql } from '../postgres/barrier.ts';
import { sqlState } from '../postgres/connection.ts';
import { list, sql } from '../postgres/sql.ts';
import { disableSubscriptionSql } from '../postgres/subscription.ts';

const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Lifts the new side's fence and disables the link that fed it, in a transaction that stays open until the commit
 * point has been written: all that could wait or fail happens now, while the way back is open, and going back is a
 * ROLLBACK. SHARE ROW EXCLUSIVE on the new side's tables, where nobody writes any more; readers go on.
 *
 * @throws {SwitchoverAbortedError} `new_side_busy`
 */
export const openNewSide: SwitchoverStep = {
  id: 'open-new-side',
  title: 'New side ready to take writes',
  describe: ({ to, tables, outLanes }) => [
    `on the ${to}, not committed: disable the fence's triggers on ${tables.length} tables`,
    ...outLanes.map((lane) => `  ${disableSubscriptionSql(lane.subscription).text}`),
  ],

  async run({ facts, to, outLanes, remainingMs }) {
    const { lift: session, fences } = facts;
    if (session === undefined || fences === undefined) throw new Error('rehearse-queries has not run');
    const disable = outLanes.map((lane) => disableSubscriptionSql(lane.subscription));
    const statement = list(fences.lift ? [fences.lift, ...disable] : disable, '; ');
    facts.liftHeld = true;
    try {
      await session.script(sql`BEGIN; ${lockLimitsSql(remainingMs())}; ${statement}`);
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
      throw new SwitchoverAbortedError('new_side_busy', `A session of the ${to} holds a replicated table`, {
        hint: `Nobody but the apply worker should write on the ${to} now: see pg_locks there.`,
        cause: error,
      });
    }
  },

  async undo({ facts }) {
    if (!facts.liftHeld) return;
    facts.liftHeld = false;
    await facts.lift?.script(sql`ROLLBACK`).catch(() => facts.lift?.destroy());
  },
};
