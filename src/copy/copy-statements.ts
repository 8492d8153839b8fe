/** The SQL of one part, on either side. Pure. */

import { ident, list, literal, type Sql, sql, trusted } from '../postgres/sql.ts';
import type { CopyFormat, CopyPart } from './parts.ts';

export interface Encoding {
  /** The target's server encoding, as PostgreSQL spells it: both sides speak it in text format. */
  readonly encoding: string;
}

/** COPY ... TO STDOUT of the part. @see https://www.postgresql.org/docs/current/sql-copy.html */
export function copyOutStatement(part: CopyPart, { encoding }: Encoding): Sql {
  const heap = ident(part.heap.schema, part.heap.name);
  const options = copyOptions(part.format, encoding);
  return sql`COPY (SELECT ${columns(part)} FROM ONLY ${heap}${blockCondition(part)}) TO STDOUT (${options})`;
}

/** COPY ... FROM STDIN into the part's table. */
export function copyInStatement(part: CopyPart, { encoding }: Encoding): Sql {
  const table = ident(part.table.schema, part.table.name);
  const names = part.table.columns.length === 0 ? sql`` : sql` (${columns(part)})`;
  return sql`COPY ${table}${names} FROM STDIN (${copyOptions(part.format, encoding)})`;
}

const columns = (part: CopyPart): Sql => list(part.table.columns.map((column) => ident(column)));

/** Binary values carry text in client_encoding and take no ENCODING. */
const copyOptions = (format: CopyFormat, encoding: string): Sql =>
  format === 'binary' ? sql`FORMAT binary` : sql`FORMAT text, ENCODING ${literal(encoding)}`;

function blockCondition({ blocks }: CopyPart): Sql {
  if (blocks === undefined) return sql``;
  const start = sql` WHERE ctid >= ${tid(blocks.from)}`;
  return blocks.to === undefined ? start : sql`${start} AND ctid < ${tid(blocks.to)}`;
}

const tid = (block: number): Sql => trusted(`'(${Math.trunc(block)},0)'::pg_catalog.tid`);
