import { FENCE_TRIGGER } from './fence.ts';
import { type Sql, sql } from './sql.ts';

/**
 * Condition on `alias`, a row of pg_trigger: a user's trigger that also fires where session_replication_role = replica, as in
 * apply workers. The fence lets them pass, so it is none.
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-DISABLE-ENABLE-TRIGGER
 */
export const firesInReplica = (alias: Sql): Sql =>
  sql`(${alias}.tgenabled IN ('A', 'R') AND NOT ${alias}.tgisinternal AND ${alias}.tgname <> ${FENCE_TRIGGER})`;
