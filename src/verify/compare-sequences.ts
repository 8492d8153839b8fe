/** Sequences of both sides, to the digit. */

import { qualified, type TableName } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { readSequences, type SequenceValue } from '../postgres/sequence.ts';
import { sql } from '../postgres/sql.ts';
import { type BothSides, onBothSides } from './both-sides.ts';

export interface DifferingSequence {
  readonly sequence: TableName;
  /** undefined: there is no such sequence. */
  readonly source: SequenceValue | undefined;
  readonly target: SequenceValue | undefined;
}

/**
 * The sequences whose `last_value` or `is_called` differ. Equal only makes sense while neither side draws numbers:
 * inside the pause, or on idle servers.
 */
export async function compareSequences(
  source: Connection,
  target: Connection,
  sequences: readonly TableName[],
): Promise<DifferingSequence[]> {
  const connections: BothSides<Connection> = { source, target };
  const values = await onBothSides(async (side) => {
    const present = await existing(connections[side], sequences);
    const read = await readSequences(connections[side], present);
    return new Map(read.map((value) => [qualified(value), value]));
  });
  return sequences.flatMap((sequence) => {
    const here = values.source.get(qualified(sequence));
    const there = values.target.get(qualified(sequence));
    const isEqual =
      here !== undefined && here.lastValue === there?.lastValue && here.isCalled === there.isCalled;
    return isEqual ? [] : [{ sequence, source: here, target: there }];
  });
}

const existing = (connection: Connection, sequences: readonly TableName[]): Promise<TableName[]> =>
  connection.query<TableName>(sql`
    SELECT w.schema, w.name
    FROM json_to_recordset(${JSON.stringify(sequences)}::json) AS w(schema text, name text)
    JOIN pg_namespace n ON n.nspname = w.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind = 'S'`);
