import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { raiseBarrier } from '../postgres/barrier.ts';
import type { Connection } from '../postgres/connection.ts';
import { fenceState, raiseFenceSql } from '../postgres/fence.ts';
import { sql } from '../postgres/sql.ts';

const RETRY_LOCK_MS = 5000;

/**
 * Raises the fence on the old side inside the barrier's own transaction, then commits it: a writer that waited on the
 * lock gets the fence's clear error, never a lost write. Repeated after a crash it takes the barrier anew.
 */
export const fenceOldSide: SwitchoverStep = {
  id: 'fence-old-side',
  title: 'Old side fenced',
  describe: ({ from, tables }) => [
    `create or enable the fence's triggers on ${tables.length} tables of the ${from}, COMMIT`,
  ],

  async run(context) {
    const { facts } = context;
    const session = facts.barrierHeld && facts.barrier ? facts.barrier : await barrierAnew(context);
    const statement = raiseFenceSql(await fenceState(session, context.tables));
    if (statement) await session.script(statement);
    await session.script(sql`COMMIT`);
    facts.barrierHeld = false;
  },
};

async function barrierAnew(context: SwitchoverContext): Promise<Connection> {
  const session = context.facts.barrier ?? (await context.open(context.from, 'barrier'));
  context.facts.barrier = session;
  await raiseBarrier(session, context.tables, RETRY_LOCK_MS);
  return session;
}
