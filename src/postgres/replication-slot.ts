/** Logical replication slots. https://www.postgresql.org/docs/current/logicaldecoding-explanation.html#LOGICALDECODING-REPLICATION-SLOTS */

import { DeadlineError, until, withDeadline } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { ReplicationError } from '../domain/errors.ts';
import type { Lsn } from '../domain/lsn.ts';
import { Connection, NOTICES_SILENCE, sqlState } from './connection.ts';
import { slotBlockers, slotRefusal, slotWaitsForTransaction } from './slot-blockers.ts';
import { ident, literal, sql } from './sql.ts';
import { LOCK_NOT_AVAILABLE, OBJECT_IN_USE, QUERY_CANCELED, UNDEFINED_OBJECT } from './sqlstate.ts';

/** A slot and the snapshot of the very moment at which its changes begin. */
export interface SlotWithSnapshot extends AsyncDisposable {
  readonly name: string;
  readonly consistentPoint: Lsn;
  /** For SET TRANSACTION SNAPSHOT; valid until this object is disposed of. The slot stays. */
  readonly snapshotName: string;
  /** Set when the session that holds the snapshot has been lost. */
  readonly lost: Error | undefined;
}

export interface SlotCreationOptions {
  /** Creation waits for every transaction that has written and is still running, in any database of the cluster. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Creates a pgoutput slot with an exported snapshot over a replication session of its own.
 * When it fails, times out or is aborted, no slot is left behind.
 *
 * @throws {PrerequisiteError} `slot_waits_for_transaction` (naming them), `no_free_slot`, `no_free_wal_sender`,
 *   `wal_level_not_logical`, `slot_exists`, `replication_not_permitted`
 * @see https://www.postgresql.org/docs/current/protocol-replication.html (CREATE_REPLICATION_SLOT)
 */
export async function createSlotWithSnapshot(
  address: ServerAddress,
  name: string,
  options: SlotCreationOptions,
): Promise<SlotWithSnapshot> {
  options.signal?.throwIfAborted();
  const session = await openReplication(address, name, options.timeoutMs);
  const startedMs = performance.now();
  try {
    // While the session was being opened nobody heard it.
    options.signal?.throwIfAborted();
    const row = await bounded(session, name, options);
    return {
      name,
      consistentPoint: row.consistent_point,
      snapshotName: row.snapshot_name,
      get lost() {
        return session.lost;
      },
      [Symbol.asyncDispose]: () => session.close(),
    };
  } catch (error) {
    const failure = isTimeLimit(error)
      ? await whoBlocks(address, name, session, performance.now() - startedMs)
      : slotRefusal(name, error);
    await discard(address, name, session);
    throw failure;
  }
}

/**
 * Creates a pgoutput slot over `connection`, which must not be inside a transaction.
 *
 * @throws as createSlotWithSnapshot
 * @see https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
 */
export async function createSlot(
  connection: Connection,
  name: string,
  options: SlotCreationOptions,
): Promise<void> {
  options.signal?.throwIfAborted();
  let cancelling: Promise<void> | undefined;
  const cancel = () => {
    cancelling = cancelStatement(connection);
  };
  options.signal?.addEventListener('abort', cancel);
  const startedMs = performance.now();
  try {
    await connection.query(sql`SELECT set_config('statement_timeout', ${String(options.timeoutMs)}, false)`);
    await connection.query(sql`SELECT pg_create_logical_replication_slot(${name}, 'pgoutput')`);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!isTimeLimit(error)) throw slotRefusal(name, error);
    const waitedMs = performance.now() - startedMs;
    throw slotWaitsForTransaction(name, waitedMs, await slotBlockers(connection, 0, waitedMs));
  } finally {
    options.signal?.removeEventListener('abort', cancel);
    // Or it would meet what the session does next.
    await cancelling;
    if (connection.lost === undefined)
      await connection.query(sql`SELECT set_config('statement_timeout', '0', false)`);
  }
}

/**
 * A second slot at the very position of the first, which nothing may have used in between. Waits for no transaction: what
 * the first one found is taken over.
 *
 * @throws as createSlotWithSnapshot
 * @see https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION (pg_copy_logical_replication_slot)
 */
export async function copySlot(connection: Connection, from: string, name: string): Promise<void> {
  try {
    await connection.query(sql`SELECT pg_copy_logical_replication_slot(${from}, ${name})`);
  } catch (error) {
    throw slotRefusal(name, error);
  }
}

const isTimeLimit = (error: unknown): boolean =>
  error instanceof DeadlineError || [QUERY_CANCELED, LOCK_NOT_AVAILABLE].includes(sqlState(error) ?? '');

/**
 * A walsender knows no statement_timeout, but waits for each transaction like for a lock: lock_timeout ends it
 * even when we are killed, which would otherwise leave a slot that holds WAL for as long as that transaction runs.
 * The role's own idle time-outs would end the snapshot.
 */
async function openReplication(address: ServerAddress, name: string, timeoutMs: number): Promise<Connection> {
  let session: Connection | undefined;
  try {
    session = await Connection.open(address, { purpose: 'slot', replication: true });
    await session.script(sql`
      SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings
      WHERE name IN ('idle_in_transaction_session_timeout', 'idle_session_timeout', 'statement_timeout', 'transaction_timeout')`);
    await session.script(sql`SET lock_timeout = ${literal(String(Math.ceil(timeoutMs)))}`);
    for (const [name, value] of Object.entries(NOTICES_SILENCE))
      await session.script(sql`SET ${ident(name)} = ${literal(value)}`);
    return session;
  } catch (error) {
    await session?.close();
    throw slotRefusal(name, error);
  }
}

interface CreatedSlot {
  readonly consistent_point: string;
  readonly snapshot_name: string;
}

/** Rejects at the deadline or the signal, with the statement still running. */
async function bounded(
  session: Connection,
  name: string,
  { timeoutMs, signal }: SlotCreationOptions,
): Promise<CreatedSlot> {
  const created = session.one<CreatedSlot>(
    // The older form without parentheses, which 13 and 14 know too.
    sql`CREATE_REPLICATION_SLOT ${ident(name)} LOGICAL pgoutput EXPORT_SNAPSHOT`,
  );
  created.catch(() => undefined);
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort);
  });
  try {
    return await withDeadline(`Creating slot ${name}`, timeoutMs, Promise.race([created, aborted]));
  } finally {
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}

async function whoBlocks(
  address: ServerAddress,
  name: string,
  session: Connection,
  waitedMs: number,
): Promise<Error> {
  await using control = await Connection.open(address, { purpose: 'slot' });
  return slotWaitsForTransaction(name, waitedMs, await slotBlockers(control, session.backendPid, waitedMs));
}

const DISCARD_TIMEOUT_MS = 10_000;

/** Ends the walsender, which does not look at its socket while it waits; an unfinished slot goes with it. */
async function discard(address: ServerAddress, name: string, session: Connection): Promise<void> {
  const pid = session.backendPid;
  session.destroy();
  try {
    await using control = await Connection.open(address, { purpose: 'slot' });
    await until(`the end of slot ${name}`, () => tryToDiscard(control, name, pid), {
      timeoutMs: DISCARD_TIMEOUT_MS,
    });
  } catch {
    // Unreachable, or not ours to end: the failure that brought us here says more, and lock_timeout ends it.
  }
}

/** A slot of that name held by someone else is not ours: creating it would have been refused. */
async function tryToDiscard(control: Connection, name: string, pid: number): Promise<true | undefined> {
  const left = await control.query(sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = ${pid} AND application_name = 'pgglide: slot' AND backend_type = 'walsender'
    UNION ALL
    SELECT true FROM pg_replication_slots WHERE slot_name = ${name} AND active_pid = ${pid}`);
  return left.length === 0 ? true : undefined;
}

async function cancelStatement(connection: Connection): Promise<void> {
  try {
    await using control = await Connection.open(connection.address, { purpose: 'slot' });
    await control.query(sql`SELECT pg_cancel_backend(${connection.backendPid})`);
  } catch {
    // The statement's own time limit ends it.
  }
}

export interface SlotState {
  readonly name: string;
  readonly isActive: boolean;
  /** The walsender that uses it. */
  readonly activePid: number | undefined;
  /** Everything before it has been taken over by the subscriber. */
  readonly confirmedFlushLsn: Lsn | undefined;
  /** WAL from here on is kept. */
  readonly restartLsn: Lsn | undefined;
  /** `reserved`, `extended`: kept. `unreserved`: will be removed at the next checkpoint. `lost`: the slot is of no use any more. */
  readonly walStatus: 'reserved' | 'extended' | 'unreserved' | 'lost';
  /** WAL that this slot keeps from being removed. */
  readonly retainedBytes: number;
  /** WAL that the subscriber has not confirmed. */
  readonly lagBytes: number;
  /** What can still be written before the slot is in danger; undefined without max_slot_wal_keep_size. */
  readonly safeWalBytes: number | undefined;
}

/** Its WAL is gone, or itself: what it was for cannot go on from where it stood. */
export const isLost = (slot: SlotState | undefined): boolean =>
  slot === undefined || slot.walStatus === 'lost';

/** Undefined when there is no such slot. @see https://www.postgresql.org/docs/current/view-pg-replication-slots.html */
export async function slotState(connection: Connection, name: string): Promise<SlotState | undefined> {
  const [row] = await connection.query<SlotRow>(sql`
    SELECT slot_name AS name, active AS "isActive", active_pid AS "activePid",
      confirmed_flush_lsn::text AS "confirmedFlushLsn", restart_lsn::text AS "restartLsn",
      coalesce(wal_status, 'lost') AS "walStatus",
      coalesce(pg_wal_lsn_diff(wal.lsn, restart_lsn), 0)::int8 AS "retainedBytes",
      greatest(coalesce(pg_wal_lsn_diff(wal.lsn, confirmed_flush_lsn), 0), 0)::int8 AS "lagBytes",
      safe_wal_size AS "safeWalBytes"
    FROM pg_replication_slots,
      -- A primary that has become a standby still has its slots.
      (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn) wal
    WHERE slot_name = ${name}`);
  if (row === undefined) return undefined;
  return {
    ...row,
    activePid: row.activePid ?? undefined,
    confirmedFlushLsn: row.confirmedFlushLsn ?? undefined,
    restartLsn: row.restartLsn ?? undefined,
    safeWalBytes: row.safeWalBytes ?? undefined,
  };
}

type SlotRow = { readonly [K in keyof SlotState]: Exclude<SlotState[K], undefined> | null } & {
  readonly name: string;
  readonly isActive: boolean;
  readonly walStatus: SlotState['walStatus'];
  readonly retainedBytes: number;
  readonly lagBytes: number;
};

/**
 * Lets the WAL before `lsn` go, as far as it has been flushed. The new position is only written at the next checkpoint
 * and may fall back after a crash.
 *
 * @see https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION (pg_replication_slot_advance)
 */
export async function advanceSlot(connection: Connection, name: string, lsn: Lsn): Promise<void> {
  await connection.query(sql`SELECT pg_replication_slot_advance(${name}, ${lsn}::pg_lsn)`);
}

/**
 * Removes the slot if it exists. A walsender that is just ending still holds it: tried again until `timeoutMs`. One that creates it
 * for a tool that was killed would go on for as long as the transaction that it waits for, and is ended.
 *
 * @throws {ReplicationError} `slot_in_use`
 */
export async function dropSlot(
  connection: Connection,
  name: string,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  try {
    await until(`the end of slot ${name}`, () => tryToDrop(connection, name), { intervalMs: 50, ...options });
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    const state = await slotState(connection, name);
    throw new ReplicationError('slot_in_use', `Slot ${name} is still used by pid ${state?.activePid}`, {
      hint: `Disable the subscription that uses it, or end it: SELECT pg_terminate_backend(${state?.activePid});`,
      facts: { slot: name, pid: state?.activePid },
      cause: error,
    });
  }
}

async function tryToDrop(connection: Connection, name: string): Promise<true | undefined> {
  try {
    await connection.query(sql`
      SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${name}`);
    return true;
  } catch (error) {
    if (sqlState(error) === UNDEFINED_OBJECT) return true;
    if (sqlState(error) !== OBJECT_IN_USE) throw error;
    // Somebody else's to end: then it is waited for.
    await endCreator(connection, name).catch(() => undefined);
    return undefined;
  }
}

async function endCreator(connection: Connection, name: string): Promise<void> {
  await connection.query(sql`
    SELECT pg_terminate_backend(a.pid) FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
    WHERE s.slot_name = ${name} AND a.application_name = 'pgglide: slot' AND a.backend_type = 'walsender'`);
}
