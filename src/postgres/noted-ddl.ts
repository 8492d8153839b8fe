/**
 * DDL that somebody ran, noted at once by event triggers of ours where the role may create them: superusers, and on
 * managed services those who stand in for them. They only tell earlier; whether the schema has changed is the fingerprint's
 * to say. Two more keep the fence closed and give new partitions the replica identity that they need
 * (sql/side-006.sql). pg_dump writes event triggers, so ours are taken out of a dump by their names.
 * https://www.postgresql.org/docs/current/event-triggers.html
 */

import { OWN_SCHEMA } from '../domain/names.ts';
import type { Statement } from '../domain/schema-change.ts';
import type { Scope } from '../domain/scope.ts';
import { type Connection, sqlState } from './connection.ts';
import { ident, list, type Sql, sql } from './sql.ts';
import { INSUFFICIENT_PRIVILEGE } from './sqlstate.ts';

/** What each is on, and runs. */
const TRIGGERS: Readonly<Record<string, Sql>> = {
  pgglide_ddl: sql`ddl_command_end EXECUTE FUNCTION pgglide.note_ddl()`,
  pgglide_drop: sql`sql_drop EXECUTE FUNCTION pgglide.note_ddl()`,
  pgglide_identity: sql`ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION pgglide.keep_identity()`,
  pgglide_keep_fence: sql`ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION pgglide.keep_fence()`,
};

/** Whether an event trigger, by its name, is one of ours. */
export const isOwnEventTrigger = (name: string): boolean => name.startsWith(`${OWN_SCHEMA}_`);

/** All are there, also where somebody has disabled them. */
export async function isDdlNoted(connection: Connection): Promise<boolean> {
  const { count } = await connection.one<{ count: number }>(
    sql`SELECT count(*) AS count FROM pg_event_trigger WHERE evtname = ANY (${Object.keys(TRIGGERS)}::text[])`,
  );
  return count === Object.keys(TRIGGERS).length;
}

/** Locks nothing that others wait for. @returns false where our role may not */
export async function createEventTriggers(connection: Connection): Promise<boolean> {
  const statements = Object.entries(TRIGGERS).map(
    ([name, definition]) => sql`
      DROP EVENT TRIGGER IF EXISTS ${ident(name)};
      CREATE EVENT TRIGGER ${ident(name)} ON ${definition};
      ALTER EVENT TRIGGER ${ident(name)} ENABLE ALWAYS;`,
  );
  try {
    await connection.script(list(statements, ' '));
    return true;
  } catch (error) {
    if (sqlState(error) === INSUFFICIENT_PRIVILEGE) return false;
    throw error;
  }
}

export async function dropEventTriggers(connection: Connection): Promise<void> {
  for (const name of Object.keys(TRIGGERS))
    await connection.script(sql`DROP EVENT TRIGGER IF EXISTS ${ident(name)}`);
}

/** Of the refusal to our role, as it is kept among what was installed: it is told once, and another role is asked again. */
const REFUSED = sql`'no event trigger: ' || current_user`;

/** A role that has become a superuser since is asked again. */
export async function isRefused(connection: Connection): Promise<boolean> {
  const { refused } = await connection.one<{ refused: boolean }>(sql`
    SELECT current_setting('is_superuser') = 'off'
      AND EXISTS (SELECT FROM pgglide.installed WHERE file = ${REFUSED}) AS refused`);
  return refused;
}

export const recordRefusal = (connection: Connection): Promise<number> =>
  connection.execute(sql`INSERT INTO pgglide.installed (file) VALUES (${REFUSED}) ON CONFLICT DO NOTHING`);

export interface NotedDdl {
  /** The latest, in the scope. */
  readonly statements: readonly Statement[];
  readonly total: number;
  /** When the latest of all was noted, by the server's clock, exact and in ISO 8601; undefined: nothing was. */
  readonly until: string | undefined;
}

/** As many as people read. */
const SHOWN = 5;

/** What was noted since both schemas were last recorded. Statements without a schema (GRANT, CREATE SCHEMA, ...) count as in the scope. */
export async function readNotedDdl(connection: Connection, scope: Scope): Promise<NotedDdl> {
  const rows = await connection.query<Statement & { total: number; until: string }>(sql`
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, command, coalesce(object, '') AS object, role,
      count(*) OVER () AS total, to_json(max(at) OVER ()) #>> '{}' AS until
    FROM pgglide.noted_ddl WHERE ${inScope(scope)}
    ORDER BY noted_ddl.at DESC LIMIT ${SHOWN}`);
  const statements = rows.map(({ total: _, until: __, ...statement }) => statement).reverse();
  return { statements, total: rows[0]?.total ?? 0, until: rows[0]?.until };
}

const inScope = ({ schemas, exclude }: Scope): Sql => sql`
  (${schemas ?? null}::text[] IS NULL OR schemas = '{}' OR schemas && ${schemas ?? null}::text[])
  AND (object IS NULL OR object <> ALL (${exclude ?? []}::text[]))`;

/** As many as the table takes (sql/side-003.sql). */
const MOST_NOTED = 1000;

export interface NotedDdlSign {
  /** Changes with every statement, also in a transaction that is still open (the count), and once more when such a one commits (the rows). */
  readonly sign: string;
  /** No more rows are written: of what commits there is no sign. The count goes on with what was rolled back, too. */
  readonly isFull: boolean;
}

/** Undefined where the event triggers are missing or disabled. */
export async function notedDdlSign(connection: Connection): Promise<NotedDdlSign | undefined> {
  const [sign] = await connection.query<NotedDdlSign>(sql`
    SELECT noted.count || '/' || (SELECT count(*) FROM pgglide.noted_ddl) AS sign, noted.count >= ${MOST_NOTED} AS "isFull"
    FROM (SELECT coalesce(pg_sequence_last_value('pgglide.noted_ddl_count'), 0) AS count) AS noted
    WHERE (SELECT count(*) FROM pg_event_trigger
      WHERE evtname = ANY (${Object.keys(TRIGGERS)}::text[]) AND evtenabled = 'A') = ${Object.keys(TRIGGERS).length}`);
  return sign;
}

/** The moment up to which everything that has been noted is seen now, by the server's own clock. */
export async function notedUntil(connection: Connection): Promise<string | undefined> {
  const { until } = await connection.one<{ until: string | null }>(
    sql`SELECT to_json(max(at)) #>> '{}' AS until FROM pgglide.noted_ddl`,
  );
  return until ?? undefined;
}

/** It is settled: both schemas were recorded since. */
export async function forgetNotedDdl(connection: Connection, until: string | undefined): Promise<void> {
  if (until !== undefined)
    await connection.execute(sql`DELETE FROM pgglide.noted_ddl WHERE at <= ${until}::timestamptz`);
  // Also where there is no row: what was rolled back has counted, and a crash empties the table alone.
  await connection.script(sql`SELECT pg_catalog.setval('pgglide.noted_ddl_count', 1, false)`);
}
