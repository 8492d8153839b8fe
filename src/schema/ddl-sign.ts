/** Whether DDL was run since a moment, told so quickly that it may be asked in the pause; what changed is the fingerprint's to say. */

import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { notedDdlSign } from '../postgres/noted-ddl.ts';
import { carriedTablesSign } from './plan-tables.ts';

/**
 * Another one than before: DDL was run. Where no event trigger of ours notes it only tables and the number of their columns
 * tell, those of transactions that are still open not among them.
 */
export async function ddlSign(connection: Connection, scope: Scope): Promise<string> {
  const noted = await notedDdlSign(connection);
  if (noted !== undefined && !noted.isFull) return noted.sign;
  const tables = await carriedTablesSign(connection, scope);
  return noted === undefined ? tables : `${noted.sign} ${tables}`;
}
