/** The application's role: an ordinary login role that owns nothing. */

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';

export interface AppRole {
  readonly name: string;
  readonly password: string;
}

/** Roles belong to the cluster: one that is there already keeps its rights and gets this password. */
export async function createAppRole(session: pg.Client, { name, password }: AppRole): Promise<void> {
  const role = pg.escapeIdentifier(name);
  const verifier = pg.escapeLiteral(scramVerifier(password));
  const { rowCount } = await session.query('SELECT FROM pg_catalog.pg_roles WHERE rolname = $1', [name]);
  await session.query(`${rowCount === 0 ? 'CREATE' : 'ALTER'} ROLE ${role} LOGIN PASSWORD ${verifier}`);
}

export async function grantToAppRole(session: pg.Client, name: string): Promise<void> {
  const role = pg.escapeIdentifier(name);
  await session.query(`
    GRANT USAGE ON SCHEMA public, billing TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, billing TO ${role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, billing TO ${role}`);
}

/**
 * What PostgreSQL stores for a password. Made here, so that no statement that may end up
 * in the server's log holds the password itself.
 * @see https://www.postgresql.org/docs/current/catalog-pg-authid.html
 */
function scramVerifier(password: string, salt = randomBytes(16), iterations = 4096): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const key = (label: string) => createHmac('sha256', salted).update(label).digest();
  const storedKey = createHash('sha256').update(key('Client Key')).digest('base64');
  const serverKey = key('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
