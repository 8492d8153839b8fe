/** Why the creation of a slot waits, and why it is refused. */

import { messageOf } from '../base/message-of.ts';
import { PrerequisiteError, UnreachableError } from '../domain/errors.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './connection.ts';
import { sql } from './sql.ts';
import {
  CONFIGURATION_LIMIT_EXCEEDED,
  DUPLICATE_OBJECT,
  INSUFFICIENT_PRIVILEGE,
  OBJECT_NOT_IN_PREREQUISITE_STATE,
  TOO_MANY_CONNECTIONS,
} from './sqlstate.ts';

/** A transaction that wrote before the slot was asked for. */
export interface SlotBlocker {
  /** Null for a prepared transaction. */
  readonly pid: number | null;
  /** Of a prepared transaction. */
  readonly gid: string | null;
  readonly database: string;
  readonly user: string;
  readonly applicationName: string;
  readonly state: string;
  readonly ageMs: number;
  /** First 200 characters. */
  readonly query: string;
}

/**
 * Transactions of the whole cluster that began before the slot's creator started to wait `waitedMs` ago.
 * A role without pg_read_all_stats does not see who has written; it still learns whom the creator waits for right now.
 */
export async function slotBlockers(
  connection: Connection,
  creatorPid: number,
  waitedMs: number,
): Promise<SlotBlocker[]> {
  return connection.query<SlotBlocker>(sql`
    SELECT pid, NULL AS gid, datname AS database, usename AS user, application_name AS "applicationName", state,
      (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::int8 AS "ageMs", left(query, 200) AS query
    FROM pg_stat_activity
    WHERE pid NOT IN (${creatorPid}::int, pg_backend_pid())
      AND (pid = ANY (pg_blocking_pids(${creatorPid}::int))
        OR (backend_xid IS NOT NULL AND xact_start < clock_timestamp() - make_interval(secs => ${waitedMs / 1000})))
    UNION ALL
    SELECT NULL, gid, database, owner, '', 'prepared',
      (extract(epoch FROM clock_timestamp() - prepared) * 1000)::int8, ''
    FROM pg_prepared_xacts
    ORDER BY "ageMs" DESC`);
}

export function slotWaitsForTransaction(
  name: string,
  waitedMs: number,
  blockers: readonly SlotBlocker[],
): PrerequisiteError {
  const seconds = Math.round(waitedMs / 100) / 10;
  const who =
    blockers.length === 0 ? 'transactions that have ended since' : blockers.map(blockerInWords).join('; ');
  return new PrerequisiteError(
    'slot_waits_for_transaction',
    `Slot ${name} could not be created in ${seconds} s: it must wait for ${who}`,
    {
      hint:
        blockers.length === 0 ? 'Try again.' : `End them and try again: ${blockers.map(remedy).join(' ')}`,
      facts: { slot: name, blockers },
    },
  );
}

export const blockerInWords = (blocker: SlotBlocker): string =>
  blocker.gid !== null
    ? `prepared transaction '${blocker.gid}' (${blocker.database}, ${age(blocker)})`
    : `pid ${blocker.pid} (${blocker.user}, ${blocker.state}, ${age(blocker)}): ${blocker.query}`;

const age = ({ ageMs }: SlotBlocker): string => `open for ${Math.round(ageMs / 1000)} s`;

const remedy = (blocker: SlotBlocker): string =>
  blocker.gid !== null
    ? `ROLLBACK PREPARED '${blocker.gid.replaceAll("'", "''")}';`
    : `SELECT pg_terminate_backend(${blocker.pid});`;

/** What a server says when it cannot make a slot, in our families; other errors come back as they are. */
export function slotRefusal(name: string, error: unknown): unknown {
  const cause = error instanceof UnreachableError ? error.cause : error;
  const refused = REFUSALS[sqlState(cause) ?? ''];
  if (refused === undefined) return error;
  const reason = messageOf(cause);
  return new PrerequisiteError(refused.code, `Slot ${name} cannot be created: ${reason}`, {
    hint: refused.hint,
    facts: { slot: name },
    cause,
  });
}

const REFUSALS: Readonly<Record<string, { readonly code: string; readonly hint: string } | undefined>> = {
  [CONFIGURATION_LIMIT_EXCEEDED]: {
    code: 'no_free_slot',
    hint: 'Drop a slot that nobody needs (SELECT * FROM pg_replication_slots), or raise max_replication_slots and restart the server.',
  },
  [TOO_MANY_CONNECTIONS]: {
    code: 'no_free_wal_sender',
    hint: 'Raise max_wal_senders (and max_connections if need be) and restart the server.',
  },
  [OBJECT_NOT_IN_PREREQUISITE_STATE]: {
    code: 'wal_level_not_logical',
    hint: "ALTER SYSTEM SET wal_level = 'logical'; then restart the server.",
  },
  [DUPLICATE_OBJECT]: {
    code: 'slot_exists',
    hint: 'Another migration uses this name, or left it behind: drop the slot, or choose another --migration name.',
  },
  [INSUFFICIENT_PRIVILEGE]: {
    code: 'replication_not_permitted',
    hint: 'ALTER ROLE ... REPLICATION; on RDS: GRANT rds_replication TO ...',
  },
};
