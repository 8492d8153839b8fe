/** Sequence values, exactly: last_value and is_called, as text (a bigint does not fit a double). */

import { slices } from '../base/slices.ts';
import type { TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { ident, list, literal, type Sql, sql, trusted } from './sql.ts';

export interface SequenceValue extends TableName {
  readonly lastValue: string;
  readonly isCalled: boolean;
}

interface ValueRow {
  readonly i: number;
  readonly v: string;
  readonly c: boolean;
}

/** Up to here planning a SELECT from each costs less than another round trip; with hundreds it takes most of the time. */
const FEW = 20;
/** A UNION of thousands would need a deeper stack than a server allows. */
const SELECTS_A_STATEMENT = 100;

/**
 * One round trip for a few; for many, one more for those that have not been called yet.
 *
 * @returns in the order of `sequences`
 */
export async function readSequences(
  connection: Connection,
  sequences: readonly TableName[],
): Promise<SequenceValue[]> {
  if (sequences.length === 0) return [];
  const indexed = indexedOf(sequences);
  if (indexed.length <= FEW) return valuesOf(sequences, await readDirectly(connection, indexed));
  const called = await connection.query<ValueRow>(calledSql(indexed));
  const found = new Set(called.map(({ i }) => i));
  const others = indexed.filter(({ i }) => !found.has(i));
  return valuesOf(sequences, [...called, ...(await readDirectly(connection, others))]);
}

interface Indexed extends TableName {
  readonly i: number;
}

const indexedOf = (sequences: readonly TableName[]): Indexed[] =>
  sequences.map(({ schema, name }, i) => ({ i, schema, name }));

/** By a function, which needs no plan for each of them; it tells nothing of those that have not been called. */
const calledSql = (indexed: readonly Indexed[]): Sql => sql`
  SELECT i, v, true AS c FROM (
    SELECT s.i, pg_sequence_last_value(format('%I.%I', s.schema, s.name)::regclass)::text AS v
    FROM json_to_recordset(${literal(JSON.stringify(indexed))}::json)
      AS s(i integer, schema text, name text)) AS read
  WHERE v IS NOT NULL`;

function directSql(indexed: readonly Indexed[]): Sql[] {
  const selects = indexed.map(
    ({ i, schema, name }) =>
      sql`SELECT ${trusted(String(i))} AS i, last_value::text AS v, is_called AS c FROM ${ident(schema, name)}`,
  );
  return [...slices(selects, SELECTS_A_STATEMENT)].map((some) => list(some, ' UNION ALL '));
}

async function readDirectly(connection: Connection, indexed: readonly Indexed[]): Promise<ValueRow[]> {
  if (indexed.length === 0) return [];
  const results = await connection.scriptResults<ValueRow>(list(directSql(indexed), '; '));
  return results.flat();
}

function valuesOf(sequences: readonly TableName[], rows: readonly ValueRow[]): SequenceValue[] {
  const byIndex = new Map(rows.map((row) => [row.i, row]));
  return sequences.flatMap(({ schema, name }, index) => {
    const row = byIndex.get(index);
    return row === undefined ? [] : [{ schema, name, lastValue: row.v, isCalled: row.c }];
  });
}

/**
 * Sets them and reads them back, in one round trip. setval() keeps CACHE, direction and type as they are. Durable with the
 * next flush of the server's WAL, which nobody waits for here.
 */
export async function setSequences(
  connection: Connection,
  values: readonly SequenceValue[],
): Promise<SequenceValue[]> {
  if (values.length === 0) return [];
  const statements = [sql`SET LOCAL synchronous_commit = off`, setSql(values), ...readBackSql(values)];
  const [, , ...read] = await connection.scriptResults<ValueRow>(list(statements, '; '));
  return valuesOf(values, read.flat());
}

/** What setSequences() will execute, planned and not executed: the server's caches are warm then. */
export async function rehearseSetSequences(
  connection: Connection,
  values: readonly SequenceValue[],
): Promise<void> {
  if (values.length === 0) return;
  await connection.script(list([sql`EXPLAIN ${setSql(values)}`, ...readBackSql(values)], '; '));
}

function readBackSql(values: readonly SequenceValue[]): Sql[] {
  const indexed = indexedOf(values);
  if (indexed.length <= FEW) return directSql(indexed);
  return [calledSql(indexed), ...directSql(indexed.filter(({ i }) => values[i]?.isCalled === false))];
}

const setSql = (values: readonly SequenceValue[]): Sql => sql`
  SELECT count(setval(format('%I.%I', v.schema, v.name)::regclass, v."lastValue"::bigint, v."isCalled"))
  FROM json_to_recordset(${literal(JSON.stringify(values))}::json) AS v(schema text, name text, "lastValue" text, "isCalled" boolean)`;
