/** Makes single rows of the subscriber what they are on the publisher. */

import { DeadlineError, withDeadline } from '../base/async.ts';
import { slices } from '../base/slices.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { PrerequisiteError, RefusedError } from '../domain/errors.ts';
import { otherSide, qualified, type Side } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { AS_APPLY_WORKER_LOCAL } from '../postgres/fence.ts';
import { ident, list, literal, sql, trusted } from '../postgres/sql.ts';
import { INSUFFICIENT_PRIVILEGE, LOCK_NOT_AVAILABLE } from '../postgres/sqlstate.ts';
import { tableAlone } from '../postgres/table-alone.ts';
import type { ComparedTable } from './compared-table.ts';
import { confirmRows, type LinkReading } from './confirm-rows.ts';
import { readComparedTables, readServerPair } from './prepare-comparison.ts';
import { keyList, matchesKeyList, type ReadRow, readRowsByKey } from './read-rows.ts';
import { SessionPair } from './session-pair.ts';
import type { DifferingRow } from './verification.ts';

export interface RepairOptions {
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  /** The side whose rows are right. */
  readonly publisher: Side;
  readonly table: PlannedTable;
  /** As found by verifyOnline() or verifyPinned(); of this table. */
  readonly rows: readonly DifferingRow[];
  /** As in verifyOnline(). */
  readonly waitForArrival: () => Promise<void>;
  /** More than that is no repair but a copy. Default 1,000. */
  readonly maxRows?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RepairResult {
  readonly repaired: number;
  /** Keys of rows that still differ. */
  readonly stillDiffering: readonly (readonly string[])[];
}

/** Rows whose writers wait at the same time. */
const ROWS_AT_ONCE = 50;
/** Writers of these rows on the publisher wait no longer. */
const MAX_HELD_MS = 2_000;
/** What we wait for a row that the application holds. */
const LOCK_TIMEOUT_MS = 1_000;

/**
 * Deletes the rows on the subscriber and inserts them as the publisher has them, if it has, with
 * `session_replication_role = replica`: no trigger, no foreign key fires. Then reads both sides again.
 *
 * For each 50 rows the publisher's are locked FOR SHARE, so that none changes, until all earlier changes have arrived
 * and the subscriber's are written: their writers wait for a round trip of the marker, at most 2 s.
 *
 * @throws {RefusedError} `too_many_rows_to_repair`, `rows_busy`: locked by the application, or the link is slow
 * @throws {PrerequisiteError} `repair_needs_key`, `repair_needs_privilege`
 * @see https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SESSION-REPLICATION-ROLE
 */
export async function repairRows(options: RepairOptions): Promise<RepairResult> {
  const { publisher } = options;
  await using sessions = await SessionPair.open(options, 1);
  const connections = { source: sessions.source.first, target: sessions.target.first };
  const { method } = await readServerPair(connections);
  const [table] = await readComparedTables(connections, [options.table]);
  if (table === undefined) throw new RangeError('No table');
  const keys = repairableKeys(table, options);
  const link: LinkReading = {
    publisher: connections[publisher],
    subscriber: connections[otherSide(publisher)],
    method,
    waitForArrival: options.waitForArrival,
    signal: options.signal,
  };
  for (const some of slices(keys, ROWS_AT_ONCE)) {
    options.signal?.throwIfAborted();
    await repairSome(link, table, otherSide(publisher), some);
  }
  const { differing, unsettled } = await confirmRows(link, table, keys);
  const stillDiffering = [...differing, ...unsettled];
  return { repaired: keys.length - stillDiffering.length, stillDiffering };
}

function repairableKeys(table: ComparedTable, { rows, maxRows = 1_000 }: RepairOptions): string[][] {
  const name = qualified(table);
  if (table.key.length === 0) {
    throw new PrerequisiteError('repair_needs_key', `${name} has no key to find its rows by`, {
      hint: 'Give it a primary key on both sides, or abort and sync again.',
      facts: { table: name },
    });
  }
  if (rows.length > maxRows) {
    throw new RefusedError('too_many_rows_to_repair', `${rows.length} rows of ${name} differ, not a few`, {
      hint: 'Find out why before anything else. To copy the table anew: pgglide abort, then pgglide sync.',
      facts: { table: name, rows: rows.length, maxRows },
    });
  }
  return rows.map((row) => {
    const values = new Map(row.key.map(({ name: column, value }) => [column, value]));
    return table.key.map((column) => {
      const value = values.get(column.name);
      if (value === undefined) throw new RangeError(`Not a row of ${name}: no key column ${column.name}`);
      return value;
    });
  });
}

async function repairSome(
  link: LinkReading,
  table: ComparedTable,
  subscriberSide: Side,
  keys: readonly (readonly string[])[],
): Promise<void> {
  const rewrite = async () => {
    await limitWaits(link.publisher);
    const rows = await readRowsByKey(link.publisher, table, link.method, {
      keys,
      values: 'exact',
      lock: 'FOR SHARE',
    });
    // Only then is what the subscriber will be given newer than all that the link still carries.
    await withDeadline('the arrival of earlier changes', MAX_HELD_MS, link.waitForArrival());
    await link.subscriber.transaction(async () => {
      await writeRows(link.subscriber, table, subscriberSide, keys, rows);
      await assertStillAbsent(link, table, keys, rows);
    });
  };
  try {
    await link.publisher.transaction(rewrite);
  } catch (error) {
    throw explained(error, table);
  }
}

/**
 * No lock holds a row back that is not there yet. One that was inserted after we looked may have arrived, and be deleted
 * by us; one that shows only later arrives after our DELETE, and waits for our end.
 */
async function assertStillAbsent(
  { publisher, method }: LinkReading,
  table: ComparedTable,
  keys: readonly (readonly string[])[],
  rows: readonly (ReadRow | undefined)[],
): Promise<void> {
  const absent = keys.filter((_, place) => rows[place] === undefined);
  if (absent.length === 0) return;
  const now = await readRowsByKey(publisher, table, method, { keys: absent, values: 'none' });
  if (now.some((row) => row !== undefined)) throw rowsBusy(table);
}

const limitWaits = (connection: Connection): Promise<void> =>
  connection.script(sql`SET LOCAL lock_timeout = ${literal(`${LOCK_TIMEOUT_MS}ms`)}`);

async function writeRows(
  subscriber: Connection,
  table: ComparedTable,
  side: Side,
  keys: readonly (readonly string[])[],
  rows: readonly (ReadRow | undefined)[],
): Promise<void> {
  await limitWaits(subscriber);
  await subscriber.script(AS_APPLY_WORKER_LOCAL);
  const name = ident(table.schema, table.name);
  // All before the first insert: rows may have swapped a unique value.
  await subscriber.execute(
    sql`DELETE FROM ${tableAlone(table)} AS t USING ${keyList(table, keys)} WHERE ${matchesKeyList(table)}`,
  );
  const columns = list(table.columns.map((column) => ident(column.name)));
  for (const row of rows) {
    if (row === undefined) continue;
    const values = table.columns.map(
      ({ types }, index) => sql`${row.values[index]}::${trusted(types[side])}`,
    );
    await subscriber.execute(
      sql`INSERT INTO ${name} (${columns}) OVERRIDING SYSTEM VALUE VALUES (${list(values)})`,
    );
  }
}

function explained(error: unknown, table: ComparedTable): unknown {
  const facts = { table: qualified(table) };
  if (error instanceof DeadlineError || sqlState(error) === LOCK_NOT_AVAILABLE) {
    return rowsBusy(table, error);
  }
  if (sqlState(error) === INSUFFICIENT_PRIVILEGE) {
    return new PrerequisiteError(
      'repair_needs_privilege',
      `Our role may not repair ${qualified(table)}: it needs UPDATE on it on the publisher; on the subscriber DELETE, INSERT and the setting session_replication_role`,
      {
        hint: 'GRANT SET ON PARAMETER session_replication_role (PostgreSQL 15 and newer), or connect as a superuser.',
        facts,
        cause: error,
      },
    );
  }
  return error;
}

const rowsBusy = (table: ComparedTable, cause?: unknown): RefusedError =>
  new RefusedError('rows_busy', `Rows of ${qualified(table)} could not be held still`, {
    hint: 'The application holds or writes them, or replication is behind. Nothing was changed in them; try again.',
    facts: { table: qualified(table) },
    cause,
  });
