/**
 * Which database a link leads to, noted on its publication. Of a subscriber that is away the publisher knows nothing else,
 * and a sync into another target would take its slot for a left-over.
 */

import { linkPrefix } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { ident, literal, type Sql, sql } from './sql.ts';

const LEADS_TO = 'leads to ';

/** `target`: ServerIdentity.systemIdentifier. */
export const noteTargetSql = (publication: string, target: string): Sql =>
  sql`COMMENT ON PUBLICATION ${ident(publication)} IS ${literal(LEADS_TO + target)}`;

export interface NotedTarget {
  /** Of the publication, and of its slot. */
  readonly link: string;
  readonly systemIdentifier: string;
}

/** Of the migration's links on the source. A link from before targets were noted has none. */
export function notedTargets(source: Connection, migration: string): Promise<NotedTarget[]> {
  return source.query<NotedTarget>(sql`
    SELECT pubname AS link, substr(comment, ${LEADS_TO.length + 1}::int) AS "systemIdentifier"
    FROM pg_publication, obj_description(oid, 'pg_publication') AS comment
    WHERE starts_with(pubname, ${`${linkPrefix(migration)}fwd_`}) AND starts_with(comment, ${LEADS_TO})
    ORDER BY 1`);
}
