/** Turns what went wrong in a copy into an error that says where and what to do. */

import { describeAddress } from '../config/server-address.ts';
import { PgglideError, PrerequisiteError, ReplicationError, UnreachableError } from '../domain/errors.ts';
import { qualified, type Side } from '../domain/names.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import {
  CHECK_VIOLATION,
  DISK_FULL,
  INSUFFICIENT_PRIVILEGE,
  INVALID_PARAMETER_VALUE,
  UNDEFINED_FILE,
  UNDEFINED_FUNCTION,
  UNDEFINED_OBJECT,
  UNDEFINED_TABLE,
} from '../postgres/sqlstate.ts';
import { PipeError } from './copy-pipe.ts';
import type { CopyPart } from './parts.ts';
import { plannedTableGone } from './planned-table-gone.ts';

const CONTINUE = 'run the same command again: tables that are complete are not copied again.';

/**
 * @returns
 * - UnreachableError `source_lost`, `target_lost`: a session ended.
 * - PrerequisiteError `copy_not_permitted`: a privilege is missing, or row security would hide rows.
 * - PrerequisiteError `disk_full`, `planned_table_gone`.
 * - ReplicationError `snapshot_gone`: the session that exported the snapshot ended.
 * - ReplicationError `copy_failed`: a server refused a statement or a row.
 */
export function copyFailure(
  error: unknown,
  parts: readonly CopyPart[],
  sessions: Readonly<Record<Side, Connection>>,
): unknown {
  if (error instanceof PgglideError || !(error instanceof PipeError)) return error;
  const { cause, side, index } = error;
  const where = describeAddress(sessions[side].address);
  const part = parts[index] ?? parts.at(-1);
  const table = part === undefined ? 'a table' : qualified(part.table);
  const state = sqlState(cause);
  const facts = { side, table, sqlState: state, ...serverFacts(cause) };
  const details = (hint: string) => ({ hint, facts, cause });
  const message = error.message;
  if (state === undefined || /^(08|57P0[1-5])/.test(state)) {
    return new UnreachableError(
      `${side}_lost`,
      `The ${side} at ${where} ended the session that copied ${table}: ${message}`,
      details(`See the server’s log; when it is back, ${CONTINUE}`),
    );
  }
  if (state === INSUFFICIENT_PRIVILEGE) {
    return new PrerequisiteError(
      'copy_not_permitted',
      `${table} cannot be copied in whole: ${message} (${where})`,
      details(
        side === 'source'
          ? 'Grant SELECT on it; where row-level security is on, also ALTER ROLE ... BYPASSRLS, or connect as the owner.'
          : 'The target’s role must own the table, or have INSERT on it and no row-level security against it.',
      ),
    );
  }
  if (state === DISK_FULL) {
    return new PrerequisiteError(
      'disk_full',
      `The disk of the ${side} at ${where} is full: ${message}`,
      details(`Make room, then ${CONTINUE}`),
    );
  }
  if (
    side === 'source' &&
    index === 0 &&
    [INVALID_PARAMETER_VALUE, UNDEFINED_OBJECT, UNDEFINED_FILE].includes(state)
  ) {
    return new ReplicationError(
      'snapshot_gone',
      `The snapshot of the copy no longer exists on ${where}: ${message}`,
      details(`The session that held it ended; ${CONTINUE}`),
    );
  }
  // Without a context no function of the table's said it.
  if (side === 'source' && state === UNDEFINED_TABLE && (cause as { where?: string }).where === undefined)
    return plannedTableGone(table, cause);
  return new ReplicationError(
    'copy_failed',
    `${table} could not be copied, the ${side} says: ${message}`,
    details(`${remedyOf(state)}, then ${CONTINUE}`),
  );
}

/** Functions that a table's columns, checks and partition key call run with search_path = pg_catalog, in our sessions as in the apply worker. */
function remedyOf(state: string): string {
  if (state === CHECK_VIOLATION)
    return 'Where a function of the constraint reads another table, make it NOT VALID on the source, so that it comes after the copy (pgglide check prints the SQL: PGG187)';
  if (state !== UNDEFINED_FUNCTION && state !== UNDEFINED_TABLE) return 'Mend what it says';
  return 'A function that the table calls finds its own names by search_path. ALTER FUNCTION ... SET search_path = ...; on both sides (PGG144)';
}

/** Where in the data: "COPY orders, line 3, column total". A row's own values stay out of it. */
function serverFacts(cause: unknown): Readonly<Record<string, unknown>> {
  const { where } = cause as { where?: string };
  if (typeof where !== 'string') return {};
  return { context: where.replace(/: ".*$/s, '') };
}
