import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { sqlState } from '../postgres/connection.ts';
import { fenceState, liftFenceSql } from '../postgres/fence.ts';
import { literal, sql } from '../postgres/sql.ts';

const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Lifts the new side's fence in a transaction that stays open until the commit point has been written: all that could
 * wait or fail happens now, while the way back is open. SHARE ROW EXCLUSIVE on the new side's tables, where nobody
 * writes any more; readers go on. Undo rolls back.
 *
 * @throws {SwitchoverAbortedError} `new_side_busy`
 */
export const openNewSide: SwitchoverStep = {
  id: 'open-new-side',
  title: 'New side ready to take writes',
  describe: ({ to, tables }) => [
    `disable the fence's triggers on ${tables.length} tables of the ${to}, not committed`,
  ],

  async run({ facts, tables, to, remainingMs }) {
    const session = facts.lift;
    if (session === undefined) throw new Error('open-sessions has not run');
    const statement = liftFenceSql(await fenceState(session, tables));
    if (statement === undefined) return;
    facts.liftHeld = true;
    const timeout = literal(`${Math.max(1, Math.round(remainingMs()))}ms`);
    try {
      await session.script(sql`BEGIN; SET LOCAL lock_timeout = ${timeout}; ${statement}`);
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
