import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { advanceOrigin } from '../postgres/replication-origin.ts';
import { list } from '../postgres/sql.ts';
import {
  disableSubscriptionSql,
  enableSubscriptionSql,
  originName,
  subscriptionState,
} from '../postgres/subscription.ts';
import { flushWal, insertLsn } from '../postgres/wal.ts';

/**
 * Disables the link to the new side and lets the way back start exactly at the new side's present position, so that
 * nothing it received is ever sent back. The origin's position is WAL-logged and flushed on the old side; the new
 * side is flushed too, because apply workers commit asynchronously. Undo enables the link again.
 *
 * @see https://www.postgresql.org/docs/current/replication-origins.html
 */
export const armReturnLink: SwitchoverStep = {
  id: 'arm-return-link',
  title: 'Way back armed',
  describe: ({ from, to, outLanes }) => [
    ...outLanes.map((lane) => `on the ${to}: ${disableSubscriptionSql(lane.subscription).text}`),
    `on the ${from}: pg_replication_origin_advance(return subscription, WAL position of the ${to})`,
    `flush the WAL of the ${to}`,
  ],

  async run({ oldSide, newSide, outLanes, facts, traffic, to, epoch }) {
    const origins = (facts.returnLanes ?? []).map((lane) => subscriptionState(oldSide, lane.subscription));
    const disable = list(
      outLanes.map((lane) => disableSubscriptionSql(lane.subscription)),
      '; ',
    );
    const [states] = await Promise.all([
      Promise.all(origins),
      newSide.script(disable),
      traffic.committing(to, epoch),
    ]);
    const position = await insertLsn(newSide);
    const advance = async () => {
      for (const state of states) {
        if (state) await advanceOrigin(oldSide, originName(state), position);
      }
    };
    await Promise.all([advance(), flushWal(newSide)]);
    return position;
  },

  async undo({ newSide, outLanes }) {
    for (const lane of outLanes) await newSide.script(enableSubscriptionSql(lane.subscription));
  },
};
