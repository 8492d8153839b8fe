/** Our schema on both sides, from the numbered files under sql/. A file that was installed never changes; later ones add to it. */

import { readFileSync } from 'node:fs';
import { packagePath } from '../base/package-root.ts';
import { PrerequisiteError } from '../domain/errors.ts';
import { OWN_SCHEMA, type Side } from '../domain/names.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { ident, literal, sql, trusted } from '../postgres/sql.ts';

const FILES: Readonly<Record<Side, readonly string[]>> = {
  source: ['side-001.sql', 'side-002.sql', 'side-003.sql', 'side-004.sql', 'side-005.sql', 'side-006.sql'],
  target: [
    'side-001.sql',
    'side-002.sql',
    'side-003.sql',
    'side-004.sql',
    'side-005.sql',
    'side-006.sql',
    'state-001.sql',
    'state-002.sql',
    'state-003.sql',
    'state-004.sql',
    'state-005.sql',
    'state-006.sql',
    'state-007.sql',
  ],
};

/** Files that are still to be installed on this side. */
export async function missingFiles(connection: Connection, side: Side): Promise<string[]> {
  if (!(await tableExists(connection, 'installed'))) return [...FILES[side]];
  const rows = await connection.query<{ file: string }>(sql`SELECT file FROM pgglide.installed`);
  const installed = new Set(rows.map((row) => row.file));
  return FILES[side].filter((file) => !installed.has(file));
}

/** Each file in one transaction with its entry, so that a kill leaves it whole or absent. */
export async function installFile(connection: Connection, file: string): Promise<void> {
  const text = readFileSync(packagePath('sql', file), 'utf8');
  await connection.script(
    sql`BEGIN; ${trusted(text)} INSERT INTO pgglide.installed (file) VALUES (${literal(file)}); COMMIT`,
  );
}

/** Whether one of our tables exists here, without failing where even the schema is missing. */
export async function tableExists(connection: Connection, name: string): Promise<boolean> {
  const { found } = await connection.one<{ found: boolean }>(sql`
    SELECT EXISTS (
      SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ${OWN_SCHEMA} AND c.relname = ${name}) AS found`);
  return found;
}

/**
 * A role that did not run sync, such as a monitoring log-in, would fail at the first of our tables.
 * @throws {PrerequisiteError} `own_schema_unreadable`
 */
export async function requireReadable(connection: Connection, side: Side): Promise<void> {
  const [hidden] = await connection.query<{ owner: string }>(sql`
    SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace n
    WHERE nspname = ${OWN_SCHEMA} AND (NOT has_schema_privilege(oid, 'USAGE') OR EXISTS (
      SELECT FROM pg_class WHERE relnamespace = n.oid AND relkind = 'r' AND NOT has_table_privilege(oid, 'SELECT')))`);
  if (hidden === undefined) return;
  const { user } = connection.address;
  const grant = sql`GRANT USAGE ON SCHEMA ${ident(OWN_SCHEMA)} TO ${ident(user)}; GRANT SELECT ON ALL TABLES IN SCHEMA ${ident(OWN_SCHEMA)} TO ${ident(user)};`;
  throw new PrerequisiteError(
    'own_schema_unreadable',
    `Role "${user}" may not read pgglide’s own tables on the ${side}`,
    {
      hint: `Use the role that ran sync, "${hidden.owner}". To look on only (status, report), as that one: ${grant.text}`,
      facts: { side, owner: hidden.owner },
    },
  );
}

export const dropOwnSchema = (connection: Connection): Promise<void> =>
  withBriefLock(connection, sql`DROP SCHEMA IF EXISTS ${ident(OWN_SCHEMA)} CASCADE`);
