/** Whether DDL was run since a moment, told so quickly that it may be asked in the pause; what changed is the fingerprint's to say. */

import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { notedDdlSign } from '../postgres/noted-ddl.ts';
import { carriedTablesSign } from './plan-tables.ts';

/**
 * Another one than before: DDL was run. Where no event trigger of ours notes it only tables and the number of their columns
 * tell, those of transactions that are still open not among them.
 */
export const ddlSign = async (connection: Connection, scope: Scope): Promise<string> =>
  (await notedDdlSign(connection)) ?? (await carriedTablesSign(connection, scope));
