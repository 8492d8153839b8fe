/** Is what the proxy's client heard what the servers say? And if not: the shortest script for which it is not. */

import type { FuzzBed } from './bed.ts';
import type { Script } from './script.ts';
import { CLOSED, isOfTheServer, withoutBeginnings } from './told.ts';
import type { Kind } from './write-script.ts';

/** What differs, in words; undefined: nothing. 'unfit': the servers differ by themselves. */
export async function difference(
  bed: FuzzBed,
  script: Script,
  kind: Kind,
): Promise<string | undefined | 'unfit'> {
  const oracle = await bed.ask(script);
  if (oracle === undefined) return 'unfit';
  const heard = await bed.hear(script, oracle, kind === 'moved');
  const differs = oracle.lines
    .map((lines, session) => {
      const found = firstDifference(comparable(lines, kind), comparable(heard.lines[session] ?? [], kind));
      return found === undefined ? undefined : `session ${session}, ${found}`;
    })
    .find((found) => found !== undefined);
  if (heard.problem !== undefined) return `${heard.problem}\n${differs ?? ''}`;
  if (differs !== undefined) return differs;
  if (oracle.written !== heard.written) return `written: ${oracle.written}\n  instead: ${heard.written}`;
  return undefined;
}

const comparable = (lines: readonly string[], kind: Kind): readonly string[] =>
  withoutBeginnings(kind === 'moved' ? lines.filter((line) => !isOfTheServer(line)) : lines);

const cut = (line: string | undefined): string => (line ?? 'nothing').slice(0, 600);

/** A server that hangs up on what it has not read resets the connection: whoever is still sending may lose its last words. */
function isCutShort(expected: readonly string[], heard: readonly string[]): boolean {
  const [last, ...before] = heard.toReversed();
  const isClosed = last === CLOSED && expected.at(-1) === CLOSED;
  return isClosed && before.reverse().every((line, index) => line === expected[index]);
}

function firstDifference(expected: readonly string[], heard: readonly string[]): string | undefined {
  if (isCutShort(expected, heard)) return undefined;
  const at = [...expected, ''].findIndex((line, index) => line !== heard[index]);
  if (at === expected.length && heard.length === expected.length) return undefined;
  const before = expected.slice(Math.max(0, at - 3), at).map((line) => `    ${cut(line)}`);
  return [
    `message ${at}, behind`,
    ...before,
    `  server: ${cut(expected[at])}`,
    `  proxy:  ${cut(heard[at])}`,
  ].join('\n');
}

const TRIES = 3;

/** Leaves out what can be left out while the difference stays, at most for so long. */
export async function shrink(bed: FuzzBed, script: Script, kind: Kind, budgetMs: number): Promise<Script> {
  const until = performance.now() + budgetMs;
  const stays = async (candidate: Script): Promise<boolean> => {
    for (let tried = 0; tried < TRIES && performance.now() < until; tried++) {
      const found = await difference(bed, candidate, kind);
      if (found === 'unfit') return false;
      if (found !== undefined) return true;
    }
    return false;
  };
  let shortest = script;
  for (
    let size = Math.ceil(shortest.length / 2);
    size >= 1 && performance.now() < until;
    size = size > 1 ? Math.ceil(size / 2) : 0
  ) {
    for (let at = 0; at < shortest.length && performance.now() < until; ) {
      const candidate = shortest.toSpliced(at, size);
      if (await stays(candidate)) shortest = candidate;
      else at += size;
    }
  }
  return shortest;
}
