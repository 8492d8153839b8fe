/** Names in a function's body that only search_path can find. A reading by words, not a parser: good enough to warn. */

import type { KnownName, RoutineFact } from './facts.ts';

/** What cannot hold a call: comments and string constants. A dollar-quoted inner body is read on. */
const SILENT = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'/g;
const WORD = /(\.\s*)?("(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)(?=(\s*\.)?)/gu;

interface Word {
  readonly name: string;
  /** Part of a dotted name. */
  readonly isQualified: boolean;
}

function* scan(body: string): Generator<Word> {
  for (const [, before, word = '', after] of body.replace(SILENT, ' ').matchAll(WORD)) {
    const name = word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word.toLowerCase();
    yield { name, isQualified: before !== undefined || after !== undefined };
  }
}

export const wordsOf = (body: string): string[] => [...new Set([...scan(body)].map((word) => word.name))];

/** Names that the body uses without their schema, and that exist outside pg_catalog. */
export function unqualifiedNames(routine: RoutineFact, known: readonly KnownName[]): KnownName[] {
  const bare = new Set([...scan(routine.body)].filter((word) => !word.isQualified).map((word) => word.name));
  return known.filter((candidate) => bare.has(candidate.name));
}
