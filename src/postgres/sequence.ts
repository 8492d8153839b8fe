/** Sequence values, exactly: last_value and is_called, as text (a bigint does not fit a double). */

import type { TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { ident, list, sql, trusted } from './sql.ts';

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
  const selects = sequences.map(
    (sequence, index) =>
      sql`SELECT ${trusted(String(index))} AS i, last_value::text AS v, is_called AS c FROM ${ident(sequence.schema, sequence.name)}`,
  );
  const rows = await connection.query<{ i: number; v: string; c: boolean }>(list(selects, ' UNION ALL '));
  const values: SequenceValue[] = [];
  for (const row of rows) {
    const sequence = sequences[row.i];
    if (sequence)
      values.push({ schema: sequence.schema, name: sequence.name, lastValue: row.v, isCalled: row.c });
  }
  return values;
}

/** One round trip. setval() keeps CACHE, direction and type as they are. */
export async function setSequences(connection: Connection, values: readonly SequenceValue[]): Promise<void> {
  if (values.length === 0) return;
  await connection.query(sql`
    SELECT setval(format('%I.%I', v.schema, v.name)::regclass, v."lastValue"::bigint, v."isCalled")
    FROM json_to_recordset(${JSON.stringify(values)}::json) AS v(schema text, name text, "lastValue" text, "isCalled" boolean)`);
}
