/** How login roles prove themselves: the kind of their secret, never the secret. */

import type { RolePassword } from '../../domain/preflight/facts.ts';
import type { Connection } from '../connection.ts';
import { sql } from '../sql.ts';
import { ifAllowed } from './attempt.ts';

/** Undefined: pg_authid is not for us (managed services hide it from everyone). */
export const readPasswords = (connection: Connection): Promise<RolePassword[] | undefined> =>
  ifAllowed(() =>
    connection.query<RolePassword>(sql`
      SELECT rolname AS role, CASE WHEN rolpassword IS NULL THEN 'none'
        WHEN rolpassword LIKE 'md5%' THEN 'md5' ELSE 'scram' END AS kind
      FROM pg_authid WHERE rolcanlogin AND rolname !~ '^pg_' ORDER BY rolname`),
  );
