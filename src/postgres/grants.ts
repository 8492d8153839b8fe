import { type Sql, sql } from './sql.ts';

/**
 * As aclexplode() has it, in FROM, with one row for all grantors: what two have given is carried as one grant, and so has to be
 * read as one, or the other side would lack it for ever.
 */
export const ofAllGrantors = (acl: Sql): Sql => sql`(
  SELECT grantee, privilege_type, bool_or(is_grantable) AS is_grantable FROM aclexplode(${acl}) GROUP BY 1, 2)`;
