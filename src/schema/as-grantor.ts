/** Grants that somebody else than the owner has given. Pure. */

import type { SchemaStatement } from './statement.ts';

/**
 * pg_dump gives them in the name of their grantor by SET SESSION AUTHORIZATION, which is for superusers. A member of
 * the grantor's role does the same by SET ROLE; sync sees to it that ours is one.
 */
export const asMember = (statement: SchemaStatement): SchemaStatement =>
  statement.kind === 'ACL' || statement.kind === 'DEFAULT ACL'
    ? {
        ...statement,
        sql: statement.sql
          .replace(/^SET SESSION AUTHORIZATION ("(?:[^"]|"")+");$/gm, 'SET LOCAL ROLE $1;')
          .replace(/^RESET SESSION AUTHORIZATION;$/gm, 'RESET ROLE;'),
      }
    : statement;
