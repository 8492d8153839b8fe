import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { advanceOrigins } from '../postgres/replication-origin.ts';
import { flushWal } from '../postgres/wal.ts';

/**
 * Lets the way back start exactly where the new side's WAL was when all had arrived, so that nothing it received is ever
 * sent back.
 * The origin's position is WAL-logged and flushed on the old side, where a slot's position would fall back after a
 * crash. The new side is flushed too, because apply workers commit asynchronously: on the target the commit point does
 * it. Nothing to undo: the return link is not enabled.
 *
 * @see https://www.postgresql.org/docs/current/replication-origins.html
 */
export const armReturnLink: SwitchoverStep = {
  id: 'arm-return-link',
  title: 'Way back armed',
  describe: ({ from, to }) => [
    `on the ${from}: pg_replication_origin_advance(return subscription, WAL position of the ${to})`,
    ...(to === 'source' ? ['flush the WAL of the source'] : []),
  ],

  async run({ oldSide, newSide, facts: { returnOrigins, arrivedLsn }, to }) {
    if (arrivedLsn === undefined) throw new Error('drain-replication has not run');
    await Promise.all([
      advanceOrigins(oldSide, returnOrigins, arrivedLsn),
      to === 'source' ? flushWal(newSide) : undefined,
    ]);
    return arrivedLsn;
  },
};
