/**
 * Types that users made have other OIDs on another cluster, and clients remember OIDs. A session that was moved
 * goes on with those it knows: both sides' types are matched by name.
 */

import type { OidMap } from '../wire/type-oids.ts';
import { patientQuery } from './patient-query.ts';
import type { ServerConnection } from './server-connection.ts';

/** "schema"."type" -> OID. */
export type TypeNames = ReadonlyMap<string, number>;

export interface OidTranslation {
  readonly toServer: OidMap;
  readonly toClient: OidMap;
}

/** OIDs below are PostgreSQL's own and the same in every version that has the type. */
const FIRST_USER_OID = 16384;
const TYPES = patientQuery(
  `SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.json_build_array(n.nspname, t.typname)::pg_catalog.text, 'UTF8'), 'hex'), t.oid::pg_catalog.text FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace WHERE t.oid OPERATOR(pg_catalog.>=) ${FIRST_USER_OID}::pg_catalog.oid AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_t') AND n.nspname OPERATOR(pg_catalog.<>) 'pgglide'`,
);
const TIMEOUT_MS = 10_000;

export async function readTypeNames(connection: ServerConnection): Promise<TypeNames> {
  const names = new Map<string, number>();
  for (const [name, oid] of await connection.rowsOf(TYPES, TIMEOUT_MS)) {
    if (name && oid) names.set(name, Number(oid));
  }
  return names;
}

/** Between what the client knows and what its server has; undefined when there is no difference. */
export function translationBetween(client: TypeNames, server: TypeNames): OidTranslation | undefined {
  const toServer = new Map<number, number>();
  const toClient = new Map<number, number>();
  for (const [name, known] of client) {
    const there = server.get(name);
    if (there === undefined || there === known) continue;
    toServer.set(known, there);
    toClient.set(there, known);
  }
  return toServer.size === 0 ? undefined : { toServer, toClient };
}
