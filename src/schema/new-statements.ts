/** Which statements of a fresh dump create what is new, and in which order. Pure. */

import type { TableName } from '../domain/names.ts';
import type { NewRelation } from './new-relations.ts';
import type { SchemaStatement } from './statement.ts';

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const fullName = ({ schema, name }: TableName): string => `${quoted(schema)}.${quoted(name)}`;

/** Objects that a new table may need and that name no table. */
const NEEDED = new Set(['SCHEMA', 'TYPE', 'DOMAIN', 'SEQUENCE', 'FUNCTION', 'PROCEDURE']);

const key = ({ kind, schema, name }: Pick<SchemaStatement, 'kind' | 'schema' | 'name'>): string =>
  JSON.stringify([kind, schema, name]);

/**
 * Of a fresh dump, those that no earlier dump had. A changed definition has its old name, and stays a drift. But where a table
 * was dropped on both sides and is there again on the source, all that belonged to the old one went with it: then all count.
 */
export function unknownStatements(
  dumped: readonly SchemaStatement[],
  known: readonly SchemaStatement[],
  relations: readonly TableName[],
): readonly SchemaStatement[] {
  const keys = new Set(known.map(key));
  if (relations.some(({ schema, name }) => keys.has(key({ kind: 'TABLE', schema, name })))) return dumped;
  return dumped.filter((statement) => !keys.has(key(statement)));
}

export const isNeeded = (statement: SchemaStatement): boolean => NEEDED.has(statement.kind);

/**
 * Everything of the new relations, and the needed objects. A partition of a table that is there already gets its own
 * indexes first and is attached after, with their names: attached without them, the server would choose others.
 */
export function statementsOfNew(
  unknown: readonly SchemaStatement[],
  relations: readonly NewRelation[],
  needed: readonly SchemaStatement[],
): SchemaStatement[] {
  const names = [
    ...relations.map(fullName),
    ...needed.flatMap(({ schema, name }) =>
      schema === undefined ? [] : [fullName({ schema, name: name.split('(')[0] ?? name })],
    ),
  ];
  const wanted = unknown.filter(
    (statement) => needed.includes(statement) || (!isNeeded(statement) && mentions(statement.sql, names)),
  );
  const indexes = new Set(wanted.flatMap(indexName));
  const attached = unknown.filter(({ kind, sql }) => kind === 'INDEX ATTACH' && mentions(sql, [...indexes]));
  const late = relations.filter((relation) => relation.isLatePartition).map(fullName);
  const lateIndexes = wanted
    .filter(({ table }) => table !== undefined && late.includes(table))
    .flatMap(indexName);
  return [...wanted, ...attached.filter(({ sql }) => !mentions(sql, lateIndexes))]
    .map((statement) =>
      isEarly(statement, late) ? { ...statement, section: 'pre-data' as const } : statement,
    )
    .toSorted((a, b) => rank(a, late) - rank(b, late));
}

const mentions = (sql: string, names: readonly string[]): boolean => names.some((name) => sql.includes(name));

/** Quoted and qualified; a constraint's index has its name. */
function indexName({ kind, schema, name, sql }: SchemaStatement): string[] {
  if (schema === undefined) return [];
  if (kind === 'INDEX') return [`${quoted(schema)}.${quoted(name)}`];
  const constraint = kind === 'CONSTRAINT' ? /ADD CONSTRAINT ("(?:[^"]|"")*")/.exec(sql)?.[1] : undefined;
  return constraint === undefined ? [] : [`${quoted(schema)}.${constraint}`];
}

const isEarly = ({ kind, table }: SchemaStatement, late: readonly string[]): boolean =>
  (kind === 'INDEX' || kind === 'CONSTRAINT') && table !== undefined && late.includes(table);

/** Sections first; in pre-data a late partition is attached when all else of it is there. */
function rank(statement: SchemaStatement, late: readonly string[]): number {
  if (statement.section === 'post-data') return 3;
  if (statement.kind === 'TABLE ATTACH') return mentions(statement.sql, late) ? 2 : 1;
  return isEarly(statement, late) ? 1 : 0;
}
