/** Our schema on both sides, from the numbered files under sql/. A file that was installed never changes; later ones add to it. */

import { readFileSync } from 'node:fs';
import { packagePath } from '../base/package-root.ts';
import { OWN_SCHEMA, type Side } from '../domain/names.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { ident, literal, sql, trusted } from '../postgres/sql.ts';

const FILES: Readonly<Record<Side, readonly string[]>> = {
  source: ['side-001.sql', 'side-002.sql', 'side-003.sql', 'side-004.sql', 'side-005.sql'],
  target: [
    'side-001.sql',
    'side-002.sql',
    'side-003.sql',
    'side-004.sql',
    'side-005.sql',
    'state-001.sql',
    'state-002.sql',
    'state-003.sql',
    'state-004.sql',
    'state-005.sql',
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

export const dropOwnSchema = (connection: Connection): Promise<void> =>
  withBriefLock(connection, sql`DROP SCHEMA IF EXISTS ${ident(OWN_SCHEMA)} CASCADE`);
