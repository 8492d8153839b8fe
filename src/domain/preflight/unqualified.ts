/** Names in a function's body that only search_path can find. A reading by words, not a parser: good enough to warn. */

import type { KnownName, RoutineFact } from './facts.ts';

/** What cannot hold a call: comments and string constants. A dollar-quoted inner body is read on. */
const SILENT = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'/g;
const WORD = /(\.\s*|::\s*)?("(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)(?=\s*([.(;]?))/gu;
const BEFORE_RELATION = new Set(['from', 'join', 'into', 'update', 'table', 'only', 'truncate']);

interface Word {
  readonly name: string;
  /** What it can be, from what stands around it; undefined: part of a dotted name. */
  readonly kind: KnownName['kind'] | 'other' | undefined;
}

function* scan(body: string): Generator<Word> {
  let previous = '';
  for (const [, before = '', word = '', after] of body.replace(SILENT, ' ').matchAll(WORD)) {
    const name = word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word.toLowerCase();
    yield { name, kind: kindOf(before.trim(), previous, after) };
    previous = name;
  }
}

function kindOf(before: string, previous: string, after: string | undefined): Word['kind'] {
  if (before === '.' || after === '.') return undefined;
  if (before === '::' || previous === 'as') return 'type';
  if (BEFORE_RELATION.has(previous)) return 'relation';
  if (after === '(') return 'function';
  // "x mood;" in a DECLARE section.
  return after === ';' ? 'type' : 'other';
}

export const wordsOf = (body: string): string[] => [...new Set([...scan(body)].map((word) => word.name))];

/** Names that the body uses without their schema, and that exist outside pg_catalog. */
export function unqualifiedNames(routine: RoutineFact, known: readonly KnownName[]): KnownName[] {
  const bare = new Set([...scan(routine.body)].map((word) => `${word.kind} ${word.name}`));
  return known.filter((candidate) => bare.has(`${candidate.kind} ${candidate.name}`));
}
