/**
 * Is a request nothing but the question which value the session drew last from a sequence? `lastval()` and `currval()` are
 * answered out of the server process's memory, and change nothing. Pure.
 * @see https://www.postgresql.org/docs/current/functions-sequence.html
 */

import { F } from '../wire/message-type.ts';

export interface SequenceQuestion {
  /** Of the whole request, with its Query or Sync. */
  readonly bytes: number;
  /** Query text, zero byte, parameter types: of the unnamed statement that it parses. */
  readonly parsed: Buffer | undefined;
}

/** What of a session's statements an answer needs. */
export interface KnownStatements {
  readonly unnamed: Buffer | undefined;
  definitionOf(name: string): Buffer | undefined;
}

const VALUE = String.raw`(?:'[^'\\]*'|\$\d+)(?:\s*::\s*\w+)?`;
const OF_A_COLUMN = String.raw`(?:pg_catalog\s*\.\s*)?pg_get_serial_sequence\s*\(\s*${VALUE}\s*,\s*${VALUE}\s*\)(?:\s*::\s*\w+)?`;
const CALL = String.raw`(?:pg_catalog\s*\.\s*)?(?:lastval\s*\(\s*\)|currval\s*\(\s*(?:${VALUE}|${OF_A_COLUMN})\s*\))`;
const QUESTION = new RegExp(
  String.raw`^\s*select\s+${CALL}(?:\s*::\s*\w+)?(?:\s+(?:as\s+)?(?:\w+|"[^"]+"))?\s*;?\s*$`,
  'i',
);

export const isSequenceQuestion = (text: string): boolean => QUESTION.test(text);

/** Of the text, the names and the values. */
const MAX_BYTES = 4096;
const HEADER_BYTES = 5;
/** What a Describe names: this, or a portal. */
const STATEMENT = 'S'.charCodeAt(0);
const MESSAGES: ReadonlySet<number> = new Set([F.query, F.parse, F.bind, F.describe, F.execute, F.sync]);

/** Of the request that `bytes` begin with. `unfinished`: what has come so far may become one. */
export function sequenceQuestion(
  bytes: Buffer,
  statements: KnownStatements,
): SequenceQuestion | 'another' | 'unfinished' {
  let parsed: Buffer | undefined;
  let isBound = false;
  for (let at = 0; ; ) {
    if (bytes.length - at < HEADER_BYTES) return 'unfinished';
    const type = bytes[at] as number;
    const bodyAt = at + HEADER_BYTES;
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (!MESSAGES.has(type) || end < bodyAt || end > MAX_BYTES) return 'another';
    if (end > bytes.length) return 'unfinished';
    const body = bytes.subarray(bodyAt, end);
    if (type === F.query) return at === 0 && asks(body) ? { bytes: end, parsed: undefined } : 'another';
    if (type === F.sync) return isBound ? { bytes: end, parsed } : 'another';
    if (type === F.parse) {
      if (body[0] !== 0 || !asks(body.subarray(1))) return 'another';
      parsed = Buffer.from(body.subarray(1));
    } else if (type === F.bind) {
      isBound = asks(boundDefinition(body, parsed, statements));
      if (!isBound) return 'another';
    } else if (type === F.execute && !isBound) return 'another';
    else if (type === F.describe && !isBound && !asks(described(body, parsed, statements))) return 'another';
    at = end;
  }
}

function boundDefinition(
  body: Buffer,
  parsed: Buffer | undefined,
  statements: KnownStatements,
): Buffer | undefined {
  const portalEnd = body.indexOf(0);
  const nameEnd = body.indexOf(0, portalEnd + 1);
  if (portalEnd < 0 || nameEnd < 0) return undefined;
  const name = body.toString('latin1', portalEnd + 1, nameEnd);
  return name === '' ? (parsed ?? statements.unnamed) : statements.definitionOf(name);
}

/** Of a portal that this request has not bound: undefined. */
function described(
  body: Buffer,
  parsed: Buffer | undefined,
  statements: KnownStatements,
): Buffer | undefined {
  if (body[0] !== STATEMENT) return undefined;
  const name = body.toString('latin1', 1, body.length - 1);
  return name === '' ? (parsed ?? statements.unnamed) : statements.definitionOf(name);
}

/** `definition`: begins with a text and a zero byte. */
function asks(definition: Buffer | undefined): boolean {
  if (definition === undefined) return false;
  const textEnd = definition.indexOf(0);
  return textEnd >= 0 && isSequenceQuestion(definition.toString('latin1', 0, textEnd));
}
