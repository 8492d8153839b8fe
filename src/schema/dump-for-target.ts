/** The source's schema as this target can take it. */

import type { ServerAddress } from '../config/server-address.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { asMember } from './as-grantor.ts';
import { type DumpOptions, dumpSchema } from './dump-schema.ts';
import { countLabels, missingProviders } from './security-labels.ts';
import type { SchemaStatement } from './statement.ts';

/**
 * Tables and indexes go to the tablespace of the same name where the target has one that our role may use, and to the
 * default one otherwise; labels of providers that the target has not loaded are left out. Both are listed as not carried.
 * A role that is no superuser there gives other grantors' grants as their member. Sequences are LOGGED without a word before 15.
 *
 * @throws what dumpSchema() does
 */
export async function dumpForTarget(
  ends: { readonly source: Connection; readonly target: Connection },
  source: ServerAddress,
  options: DumpOptions,
): Promise<SchemaStatement[]> {
  const [labels, names] = await Promise.all([countLabels(ends.source), usableTablespaces(ends.target)]);
  const statements = await dumpSchema(source, {
    ...options,
    tablespaces: Object.fromEntries([...names].map((name) => [name, name])),
    withoutLabelsOf: await missingProviders(ends.target, labels),
  });
  const { isSuperuser, version } = await targetTraits(ends.target);
  const understood = version < 150000 ? statements.map(withoutLogged) : statements;
  if (isSuperuser) return understood;
  const given = await initialOwnership(ends.source);
  return understood.filter((statement) => statement.sql !== given).map(asMember);
}

/** Of a source before 15: public was the first superuser's, and nobody else can give it to that role. */
async function initialOwnership(source: Connection): Promise<string> {
  const { name } = await source.one<{ name: string }>(sql`SELECT pg_get_userbyid(10) AS name`);
  return `ALTER SCHEMA "public" OWNER TO "${name.replaceAll('"', '""')}";`;
}

const targetTraits = (target: Connection): Promise<{ isSuperuser: boolean; version: number }> =>
  target.one(sql`
    SELECT rolsuper AS "isSuperuser", current_setting('server_version_num')::int AS version
    FROM pg_roles WHERE rolname = current_user`);

/** As pg_dump writes it for the identity of an unlogged table of a server before 15. */
const withoutLogged = (statement: SchemaStatement): SchemaStatement =>
  statement.kind === 'SEQUENCE'
    ? { ...statement, sql: statement.sql.replace(/^( {4}SEQUENCE NAME .*\n) {4}LOGGED\n/m, '$1') }
    : statement;

export async function usableTablespaces(target: Connection): Promise<Set<string>> {
  const rows = await target.query<{ name: string }>(sql`
    SELECT spcname AS name FROM pg_tablespace
    WHERE spcname !~ '^pg_' AND has_tablespace_privilege(oid, 'CREATE')`);
  return new Set(rows.map(({ name }) => name));
}
