/** Frees a publisher's disk from a slot, whatever its subscriber says. */

import { until } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import type { LaneNames, Side } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import type { LooseSession } from './loose-session.ts';
import { dropSlot, type SlotState, slotState } from './replication-slot.ts';
import { sql } from './sql.ts';
import { disableSubscriptionSql, subscriptionState } from './subscription.ts';

const DROP_TIMEOUT_MS = 30_000;
const ATTEMPT_TIMEOUT_MS = 500;

/**
 * Also when the subscriber does not answer: its subscription is disabled if it can be, the walsender ended, the slot
 * dropped. Publication and subscription stay and show what happened.
 *
 * @throws {ReplicationError} `slot_in_use`
 */
export async function giveUpSlot(
  publisher: LooseSession,
  subscriber: LooseSession,
  lane: LaneNames,
): Promise<void> {
  await subscriber.ask((connection) => disable(connection, lane)).catch(() => undefined);
  await dropUsedSlot(publisher, lane.slot);
}

/** With the walsender that uses it. @throws {ReplicationError} `slot_in_use` */
export async function dropUsedSlot(publisher: LooseSession, slot: string): Promise<void> {
  await publisher.ask((connection) => drop(connection, slot), DROP_TIMEOUT_MS + 10_000);
}

async function drop(publisher: Connection, slot: string): Promise<void> {
  const attempt = async (): Promise<true | undefined> => {
    const pid = (await slotState(publisher, slot))?.activePid;
    if (pid !== undefined) await publisher.query(sql`SELECT pg_terminate_backend(${pid}::int)`);
    await dropSlot(publisher, slot, { timeoutMs: ATTEMPT_TIMEOUT_MS }).catch(() => undefined);
    return (await slotState(publisher, slot)) === undefined ? true : undefined;
  };
  await until(`the end of slot ${slot}`, attempt, { timeoutMs: DROP_TIMEOUT_MS }).catch(() =>
    dropSlot(publisher, slot, { timeoutMs: ATTEMPT_TIMEOUT_MS }),
  );
}

async function disable(subscriber: Connection, lane: LaneNames): Promise<void> {
  if ((await subscriptionState(subscriber, lane.subscription))?.isEnabled)
    await subscriber.script(disableSubscriptionSql(lane.subscription));
}

/** The text of a warning. */
export const slotNotDropped = (slot: SlotState, publisher: Side, cause: unknown) => ({
  code: 'slot_not_dropped',
  message: `Slot ${slot.name} could not be dropped and keeps its WAL: ${messageOf(cause)}`,
  hint: `On the ${publisher}: SELECT pg_drop_replication_slot('${slot.name}');`,
});
