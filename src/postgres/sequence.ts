/** Sequence values, exactly: last_value and is_called, as text (a bigint does not fit a double). */

import type { TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { ident, list, literal, type Sql, sql, trusted } from './sql.ts';

export interface SequenceValue extends TableName {
  readonly lastValue: string;
  readonly isCalled: boolean;
}

/** One round trip, whatever their number. */
export async function readSequences(
  connection: Connection,
  sequences: readonly TableName[],
): Promise<SequenceValue[]> {
  if (sequences.length === 0) return [];
  return valuesOf(sequences, await connection.query<ValueRow>(valuesSql(sequences)));
}

interface ValueRow {
  readonly i: number;
  readonly v: string;
  readonly c: boolean;
}

function valuesSql(sequences: readonly TableName[]): Sql {
  const selects = sequences.map(
    (sequence, index) =>
      sql`SELECT ${trusted(String(index))} AS i, last_value::text AS v, is_called AS c FROM ${ident(sequence.schema, sequence.name)}`,
  );
  return list(selects, ' UNION ALL ');
}

function valuesOf(sequences: readonly TableName[], rows: readonly ValueRow[]): SequenceValue[] {
  const values: SequenceValue[] = [];
  for (const row of rows) {
    const sequence = sequences[row.i];
    if (sequence)
      values.push({ schema: sequence.schema, name: sequence.name, lastValue: row.v, isCalled: row.c });
  }
  return values;
}

/** Sets them and reads them back, in one round trip. setval() keeps CACHE, direction and type as they are. */
export async function setSequences(
  connection: Connection,
  values: readonly SequenceValue[],
): Promise<SequenceValue[]> {
  if (values.length === 0) return [];
  const rows = await connection.scriptRows<ValueRow>(sql`${setSql(values)}; ${valuesSql(values)}`);
  return valuesOf(values, rows);
}

/** What setSequences() will execute, planned and not executed: the server's caches are warm then. */
export async function rehearseSetSequences(
  connection: Connection,
  values: readonly SequenceValue[],
): Promise<void> {
  if (values.length > 0) await connection.script(sql`EXPLAIN ${setSql(values)}; ${valuesSql(values)}`);
}

const setSql = (values: readonly SequenceValue[]): Sql => sql`
  SELECT setval(format('%I.%I', v.schema, v.name)::regclass, v."lastValue"::bigint, v."isCalled")
  FROM json_to_recordset(${literal(JSON.stringify(values))}::json) AS v(schema text, name text, "lastValue" text, "isCalled" boolean)`;
