/** What a client was told, as lines that can be compared: without what differs from server to server for no fault of anybody's. */

import { BodyReader } from '../../src/wire/bytes.ts';
import type { Message } from '../../src/wire/message-reader.ts';
import { B } from '../../src/wire/message-type.ts';

const FIRST_USER_OID = 16384;
/** File, line and routine of the server's source. */
const OF_THE_SOURCE = new Set(['F', 'L', 'R']);

/** OID to name, of the database's own types. */
export type TypeNames = ReadonlyMap<number, string>;

const typeName = (oid: number, types: TypeNames): string => types.get(oid) ?? String(oid);
const bytes = (body: Buffer): string => JSON.stringify(body.toString('latin1'));

/** The first column of `w`. */
const withoutTransactionId = (text: string): string => text.replace(/row contains \(\d+/, 'row contains (tx');

function fields(body: Buffer): string {
  const reader = new BodyReader(body);
  const found: string[] = [];
  for (let code = reader.byte(); code !== 0; code = reader.byte()) {
    const letter = String.fromCharCode(code);
    const text = reader.cstring();
    if (!OF_THE_SOURCE.has(letter)) found.push(`${letter}=${withoutTransactionId(text)}`);
  }
  return found.join(' | ');
}

function columns(body: Buffer, types: TypeNames): string {
  const reader = new BodyReader(body);
  const found = Array.from({ length: reader.int16() }, () => {
    const name = reader.cstring();
    const table = reader.int32();
    const column = reader.int16();
    // Views of the catalog have more columns in newer versions.
    const place = table >= FIRST_USER_OID ? `user.${column}` : table;
    const type = typeName(reader.int32(), types);
    return `${name} ${place} ${type} ${reader.int16()} ${reader.int32()} ${reader.int16()}`;
  });
  return found.join(', ');
}

function parameters(body: Buffer, types: TypeNames): string {
  const reader = new BodyReader(body);
  return Array.from({ length: reader.int16() }, () => typeName(reader.int32(), types)).join(', ');
}

export function told({ type, body }: Message, types: TypeNames): string {
  const letter = String.fromCharCode(type);
  switch (type) {
    case B.errorResponse:
    case B.noticeResponse:
      return `${letter} ${fields(body)}`;
    case B.rowDescription:
      return `${letter} ${columns(body, types)}`;
    case B.parameterDescription:
      return `${letter} ${parameters(body, types)}`;
    case B.notificationResponse:
      return `${letter} ${bytes(body.subarray(4))}`;
    default:
      return `${letter} ${bytes(body)}`;
  }
}

/** The last line of one that did not end by itself. */
export const CLOSED = 'closed';

/** What a session that is moved hears of its new server. */
export const isOfTheServer = (line: string): boolean =>
  /^S "(?:server_version|scram_iterations)\\/.test(line);

/** Parameters are told in no certain order. */
export function inOrder(lines: readonly string[]): string[] {
  const ordered: string[] = [];
  let parameters: string[] = [];
  for (const line of [...lines, '']) {
    if (line.startsWith('S ')) {
      parameters.push(line);
      continue;
    }
    ordered.push(...parameters.sort(), line);
    parameters = [];
  }
  return ordered.slice(0, -1);
}

/** How far a request had come before it was cancelled differs each time. */
export function withoutBeginnings(lines: readonly string[]): string[] {
  const kept: string[] = [];
  for (const line of lines) {
    if (line.startsWith('E ') && line.includes('C=57014 | M=canceling statement due to user request'))
      while (/^[12Tnt] /.test(kept.at(-1) ?? '')) kept.pop();
    kept.push(line);
  }
  return kept;
}
