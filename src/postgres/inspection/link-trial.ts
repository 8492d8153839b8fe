/** Tries whether a server reaches the other one as its subscription will: one is made, which connects, and rolled back. */

import { randomBytes } from 'node:crypto';
import type { Finding } from '../../domain/finding.ts';
import { otherSide, type Side } from '../../domain/names.ts';
import { LINK_TRIALS } from '../../domain/preflight/link-trial.ts';
import { type Connection, sqlState } from '../connection.ts';
import { ident, literal, sql } from '../sql.ts';
import { CONNECTION_FAILURE, INTERNAL_ERROR, QUERY_CANCELED } from '../sqlstate.ts';
import { quietLog } from '../subscription.ts';

export interface LinkTrial {
  readonly publisher: Side;
  /** Of the publisher, as its subscriber is to use it. */
  readonly conninfo: string;
  /** How long the connection may take. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5_000;
const SEEN_BY = { source: 'source.seenByTarget', target: 'target.seenBySource' } as const;

/**
 * Empty where it connects, and where our role may not make a subscription: other rules tell that. A few milliseconds, a WAL
 * sender of the publisher meanwhile, and nothing is left.
 *
 * @see https://www.postgresql.org/docs/current/sql-createsubscription.html
 */
export async function tryLink(
  subscriber: Connection,
  { publisher, conninfo, timeoutMs = TIMEOUT_MS }: LinkTrial,
): Promise<Finding[]> {
  const { id, severity } = LINK_TRIALS[publisher];
  const why = await whyNot(subscriber, conninfo, timeoutMs);
  if (why === undefined) return [];
  return [
    {
      id,
      severity,
      title: `the ${otherSide(publisher)}'s server cannot connect to the ${publisher}: ${why}`,
      detail: `Let the ${otherSide(publisher)}'s host and our role in there, or set ${SEEN_BY[publisher]}.`,
      blocks: publisher === 'source' ? 'replication' : 'the cutover: the way back could not be made',
    },
  ];
}

async function whyNot(
  subscriber: Connection,
  conninfo: string,
  timeoutMs: number,
): Promise<string | undefined> {
  const name = ident(`pgglide_trial_${randomBytes(6).toString('hex')}`);
  await quietLog(subscriber);
  try {
    await subscriber.script(sql`BEGIN; SET LOCAL statement_timeout = ${literal(`${timeoutMs}ms`)};
      CREATE SUBSCRIPTION ${name} CONNECTION ${literal(conninfo)} PUBLICATION ${name}
      WITH (copy_data = false, create_slot = false, enabled = false, slot_name = NONE)`);
    return undefined;
  } catch (error) {
    const state = sqlState(error);
    if (state === QUERY_CANCELED) return `no answer within ${timeoutMs / 1000} s`;
    // 13 has no SQLSTATE of its own for it.
    if (state === CONNECTION_FAILURE || state === INTERNAL_ERROR)
      return (error as Error).message.replace(`subscription ${name.text} `, '').replace(/\s+/g, ' ');
    return undefined;
  } finally {
    if (subscriber.lost === undefined) await subscriber.script(sql`ROLLBACK`);
  }
}
