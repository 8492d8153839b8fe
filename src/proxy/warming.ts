/**
 * Messages that make a fresh server session as quick as an old one, without executing anything of the client's.
 *
 * Bind plans a statement; as often as it takes until the server settles on a generic plan, so that the first
 * requests are not planned one by one. EXPLAIN starts its executor, which opens tables and looks functions up.
 * A read-only transaction refuses whatever planning might try to write, and is rolled back.
 */

import { bindParameters } from '../wire/bind.ts';
import { cstring, frame, int16 } from '../wire/bytes.ts';
import { execute, query, sync } from '../wire/frontend.ts';
import { isPlannable } from './plannable.ts';
import type { WarmStatement } from './recent-statements.ts';

const BEGIN = query('BEGIN READ ONLY');
const ROLLBACK = query('ROLLBACK');
/** Triggers are often written in it: the first one would load it. */
export const LOAD_PLPGSQL = Buffer.concat([BEGIN, query("DO LANGUAGE plpgsql 'BEGIN END'"), ROLLBACK]);
/** The server makes five custom plans before it considers a generic one. */
const BINDS = 6;
export const ROUND_POINTS = 4;

/** Ends in ROUND_POINTS answers. `name`: under which the session has prepared the statement. */
export function warmingOf({ definition, bindTail }: WarmStatement, name: string | undefined): Buffer[] {
  const bindOne = frame('B', cstring(''), latin1(name ?? ''), bindTail);
  const planned =
    name === undefined
      ? [frame('P', cstring(''), definition), bindOne]
      : Array.from({ length: BINDS }, () => bindOne);
  return [BEGIN, ...planned, sync(), ...explained(definition, bindTail), sync(), ROLLBACK];
}

/** EXPLAIN with ANALYZE would execute: nothing that is not plainly a query gets the word before it. */
function explained(definition: Buffer, bindTail: Buffer): Buffer[] {
  if (!isPlannable(definition)) return [];
  const parameters = bindParameters(bindTail);
  if (parameters === undefined) return [];
  return [
    frame('P', cstring(''), Buffer.from('EXPLAIN '), definition),
    frame('B', cstring(''), cstring(''), parameters, int16(0)),
    execute(),
  ];
}

const latin1 = (name: string): Buffer => Buffer.from(`${name}\0`, 'latin1');
