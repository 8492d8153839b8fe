/** An event trigger of the user's that refuses DDL of ours: its error, whatever it says, becomes one that names it. */

import { PrerequisiteError } from '../domain/errors.ts';
import { SIDES } from '../domain/names.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { ident, sql } from '../postgres/sql.ts';
import type { Session } from './session.ts';

/**
 * Passes on what the command throws.
 * @throws {PrerequisiteError} `event_trigger_refused` where the error came from inside an event trigger's function
 */
export async function blamingEventTriggers<T>(session: Session, command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    throw (await refusalOf(session, error).catch(() => undefined)) ?? error;
  }
}

/** The error does not say which server it came from: either that has such a trigger. */
async function refusalOf(session: Session, error: unknown): Promise<PrerequisiteError | undefined> {
  if (sqlState(error) === undefined) return undefined;
  const { message, where = '' } = error as Error & { where?: string };
  for (const database of session.databases)
    for (const side of SIDES) {
      // A session of its own: the one that failed may be inside a transaction.
      await using connection = await database.open(side, 'failure');
      const name = await triggerIn(where, connection);
      if (name !== undefined) return refusal(name, `${database.prefix}${side}`, message, error);
    }
  return undefined;
}

/** By its function, which stands in the error's context: "PL/pgSQL function public.no() line 1 at RAISE". */
async function triggerIn(where: string, connection: Connection): Promise<string | undefined> {
  const [trigger] = await connection.query<{ name: string }>(sql`
    SELECT t.evtname AS name FROM pg_event_trigger t JOIN pg_proc p ON p.oid = t.evtfoid
    WHERE t.evtenabled <> 'D' AND t.evtname !~ '^pgglide_'
      AND regexp_split_to_array(${where}, '[ .]') @> ARRAY[quote_ident(p.proname) || '()']
    ORDER BY 1 LIMIT 1`);
  return trigger?.name;
}

const refusal = (name: string, place: string, message: string, cause: unknown): PrerequisiteError =>
  new PrerequisiteError(
    'event_trigger_refused',
    `Event trigger "${name}" of the ${place} refuses our DDL: ${message}`,
    {
      hint: `There: ALTER EVENT TRIGGER ${ident(name).text} DISABLE; then run the same command again. Enable it when the migration is over.`,
      facts: { eventTrigger: name },
      cause,
    },
  );
