/** The SQL of one part, on either side. Pure. */

import { ident, list, literal, type Sql, sql, trusted } from '../postgres/sql.ts';
import { unpadded } from './padded-columns.ts';
import type { CopyFormat, CopyPart } from './parts.ts';

export interface Encoding {
  /** The target's server encoding, as PostgreSQL spells it: both sides speak it in text format. */
  readonly encoding: string;
}

/**
 * COPY ... TO STDOUT of the part. A whole heap is named, which is cheaper than a query and reads no inheritance children.
 *
 * @see https://www.postgresql.org/docs/current/sql-copy.html
 */
export function copyOutStatement(part: CopyPart, { encoding }: Encoding): Sql {
  const heap = ident(part.heap.schema, part.heap.name);
  const options = copyOptions(part.format, encoding);
  if (isWhole(part) && !isTreeItself(part))
    return sql`COPY ${heap}${columnList(part)} TO STDOUT (${options})`;
  const values = list(part.table.columns.map((column) => valueOfColumn(part, column)));
  return sql`COPY (SELECT ${values} FROM ONLY ${heap}${rowCondition(part)}) TO STDOUT (${options})`;
}

const isWhole = ({ blocks, condition, unpadded = [] }: CopyPart): boolean =>
  blocks === undefined && condition === undefined && unpadded.length === 0;

const valueOfColumn = ({ unpadded: trimmed = [] }: CopyPart, column: string): Sql =>
  trimmed.includes(column) ? unpadded(column) : ident(column);

/** What the target runs for the part: COPY ... FROM STDIN into its table. */
export function copyInStatements(part: CopyPart, { encoding }: Encoding): Sql[] {
  const table = ident(part.table.schema, part.table.name);
  const options = copyOptions(part.format, encoding);
  const copyIn = sql`COPY ${table}${columnList(part)} FROM STDIN`;
  return mayFreeze(part)
    ? [sql`TRUNCATE ONLY ${table}`, sql`${copyIn} (${options}, FREEZE)`]
    : [sql`${copyIn} (${options})`];
}

/** Below this a TRUNCATE costs more than it saves. */
const SMALLEST_FROZEN_BYTES = 1024 * 1024;

/**
 * Rows stored frozen need no second write, neither by the first reader (the index build) nor by VACUUM. The server
 * allows it only for a table emptied in the same transaction: not for a range, not through a partition tree, and not where
 * foreign keys refer to it already.
 */
const mayFreeze = ({ table, blocks, bytes, isReferenced = false }: CopyPart): boolean =>
  blocks === undefined && !table.isPartitioned && !isReferenced && bytes >= SMALLEST_FROZEN_BYTES;

/** The empty stand-in for a tree without leaves: it can be selected from, not copied. */
const isTreeItself = ({ table, heap }: CopyPart): boolean =>
  table.isPartitioned && heap.name === table.name && heap.schema === table.schema;

const columns = (part: CopyPart): Sql[] => part.table.columns.map((column) => ident(column));

/** Empty parentheses are a syntax error; without any COPY takes all columns but the generated ones: none either. */
const columnList = (part: CopyPart): Sql =>
  part.table.columns.length === 0 ? sql`` : sql` (${list(columns(part))})`;

/** Binary values carry text in client_encoding and take no ENCODING. */
const copyOptions = (format: CopyFormat, encoding: string): Sql =>
  format === 'binary' ? sql`FORMAT binary` : sql`FORMAT text, ENCODING ${literal(encoding)}`;

function rowCondition({ blocks, condition }: CopyPart): Sql {
  if (condition !== undefined) return sql` ${trusted(condition)}`;
  if (blocks === undefined) return sql``;
  const start = sql` WHERE ctid >= ${tid(blocks.from)}`;
  return blocks.to === undefined ? start : sql`${start} AND ctid < ${tid(blocks.to)}`;
}

const tid = (block: number): Sql => trusted(`'(${Math.trunc(block)},0)'::pg_catalog.tid`);
