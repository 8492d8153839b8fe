/** In which order, and how much at once, a dumped schema is executed. Pure. */

import { referencedTable } from './dump-names.ts';
import type { SchemaStatement } from './statement.ts';

export type StageName = 'pre-data' | 'indexes' | 'keys' | 'attach' | 'foreign-keys' | 'validate' | 'rest';

export interface RestoreTask {
  readonly statement: SchemaStatement;
  /** Bytes to read, weighed by how dear the kind of index is; to compare tasks, no more. */
  readonly cost: number;
  /** Known to be done in an instant, so that it may share a transaction with others of its kind. */
  readonly isCheap: boolean;
  /** Tables that no other task may touch meanwhile. */
  readonly excludes: readonly string[];
}

export interface RestoreStage {
  readonly name: StageName;
  /** `serial`: in the order given. `parallel`: any order; the given one is dearest first. */
  readonly mode: 'serial' | 'parallel';
  readonly tasks: readonly RestoreTask[];
}

const STAGES: readonly StageName[] = [
  'pre-data',
  // Copy the rows here.
  'indexes',
  'keys',
  'attach',
  'foreign-keys',
  'validate',
  'rest',
];

const PARALLEL: ReadonlySet<StageName> = new Set(['indexes', 'keys', 'foreign-keys', 'validate']);

/**
 * The stages in order, each to be finished before the next begins; the rows come after `pre-data`.
 * `tableBytes`: quoted qualified name ("s"."t") -> size, as far as known.
 */
export function classifyRestore(
  statements: readonly SchemaStatement[],
  tableBytes: ReadonlyMap<string, number> = new Map(),
): RestoreStage[] {
  const postponed = postponedNames(statements);
  const tasks = new Map<StageName, RestoreTask[]>(STAGES.map((name) => [name, []]));
  for (const statement of statements) {
    tasks.get(stageOf(statement, postponed))?.push(taskOf(statement, tableBytes));
  }
  return STAGES.map((name) => {
    const mode = PARALLEL.has(name) ? 'parallel' : 'serial';
    const own = tasks.get(name) ?? [];
    return { name, mode, tasks: mode === 'serial' ? own : own.toSorted((a, b) => b.cost - a.cost) };
  });
}

function stageOf(statement: SchemaStatement, postponed: readonly string[]): StageName {
  if (statement.section === 'pre-data') return 'pre-data';
  if (postponed.some((name) => statement.sql.includes(name))) return 'rest';
  switch (statement.kind) {
    case 'INDEX':
      return 'indexes';
    case 'CONSTRAINT':
    case 'CHECK CONSTRAINT':
      return 'keys';
    case 'INDEX ATTACH':
      return 'attach';
    case 'FK CONSTRAINT':
      return 'foreign-keys';
    case 'VALIDATE':
      return 'validate';
    default:
      return 'rest';
  }
}

const CREATED = /^CREATE (?:MATERIALIZED VIEW|VIEW|FUNCTION|PROCEDURE) ("(?:[^"]|"")*"\."(?:[^"]|"")*")/m;

/** Views and functions that need a primary key come after it; an index that needs them must wait in turn. */
const postponedNames = (statements: readonly SchemaStatement[]): string[] =>
  statements
    .filter(({ section }) => section === 'post-data')
    .flatMap(({ sql }) => CREATED.exec(sql)?.[1] ?? []);

function taskOf(statement: SchemaStatement, tableBytes: ReadonlyMap<string, number>): RestoreTask {
  const { kind, table, sql } = statement;
  const referenced = kind === 'FK CONSTRAINT' ? referencedTable(sql) : undefined;
  const locked = [table, referenced].filter((name) => name !== undefined);
  const cost = (tableBytes.get(table ?? '') ?? 0) * weight(sql);
  return {
    statement,
    cost,
    isCheap: tableBytes.has(table ?? '') && cost < CHEAP_BYTES,
    // CREATE INDEX shares its table with other builds; everything else on a table wants it alone.
    excludes: kind === 'INDEX' ? [] : locked,
  };
}

/** A table of so many bytes is indexed in less time than a transaction of its own takes. */
const CHEAP_BYTES = 1_000_000;

function weight(sql: string): number {
  const method = /^CREATE (?:UNIQUE )?INDEX .* USING "?(\w+)"? \(/m.exec(sql)?.[1];
  if (method === 'gin' || method === 'gist' || method === 'spgist') return 3;
  return method === 'brin' ? 0.2 : 1;
}
