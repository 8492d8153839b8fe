/**
 * Messages of the pgoutput plugin, protocol version 1: what a subscriber receives. Pure.
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */

import type { Lsn } from './lsn.ts';
import type { TableName } from './names.ts';

export interface PublishedColumn {
  readonly name: string;
  /** Part of the replica identity. */
  readonly isKey: boolean;
}

export interface PublishedRelation extends TableName {
  readonly id: number;
  readonly columns: readonly PublishedColumn[];
}

/** As text; null: NULL; undefined: a TOASTed value that did not change and was not sent. */
export type TupleValue = string | null | undefined;

export type PgoutputMessage =
  | { readonly type: 'begin'; readonly finishLsn: Lsn; readonly xid: number }
  | { readonly type: 'commit'; readonly endLsn: Lsn }
  | { readonly type: 'relation'; readonly relation: PublishedRelation }
  | {
      readonly type: 'insert' | 'update' | 'delete';
      readonly relationId: number;
      /** Before the change, as far as the replica identity says; undefined when it was not sent. */
      readonly before: readonly TupleValue[] | undefined;
      readonly after: readonly TupleValue[] | undefined;
    }
  | { readonly type: 'truncate'; readonly relationIds: readonly number[] }
  | { readonly type: 'other' };

const IS_KEY = 1;

/** @throws {RangeError} the message is cut off */
export function readPgoutput(bytes: Uint8Array): PgoutputMessage {
  const reader = new Reader(bytes);
  switch (reader.char()) {
    case 'B': {
      const finishLsn = reader.lsn();
      reader.skip(8);
      return { type: 'begin', finishLsn, xid: reader.uint32() };
    }
    case 'C':
      reader.skip(1 + 8);
      return { type: 'commit', endLsn: reader.lsn() };
    case 'R':
      return { type: 'relation', relation: readRelation(reader) };
    case 'I':
      return { type: 'insert', ...readChange(reader) };
    case 'U':
      return { type: 'update', ...readChange(reader) };
    case 'D':
      return { type: 'delete', ...readChange(reader) };
    case 'T': {
      const count = reader.uint32();
      reader.skip(1);
      return { type: 'truncate', relationIds: Array.from({ length: count }, () => reader.uint32()) };
    }
    default:
      return { type: 'other' };
  }
}

function readRelation(reader: Reader): PublishedRelation {
  const id = reader.uint32();
  // An empty schema stands for pg_catalog.
  const schema = reader.text() || 'pg_catalog';
  const name = reader.text();
  reader.skip(1);
  const columns = Array.from({ length: reader.uint16() }, () => {
    const isKey = (reader.uint8() & IS_KEY) !== 0;
    const column = { name: reader.text(), isKey };
    reader.skip(8);
    return column;
  });
  return { id, schema, name, columns };
}

function readChange(reader: Reader) {
  const relationId = reader.uint32();
  let before: TupleValue[] | undefined;
  let after: TupleValue[] | undefined;
  while (!reader.isAtEnd) {
    if (reader.char() === 'N') after = readTuple(reader);
    else before = readTuple(reader);
  }
  return { relationId, before, after };
}

const readTuple = (reader: Reader): TupleValue[] =>
  Array.from({ length: reader.uint16() }, () => {
    const kind = reader.char();
    if (kind === 'n') return null;
    if (kind === 'u') return undefined;
    return reader.counted();
  });

class Reader {
  readonly #view: DataView;
  readonly #text = new TextDecoder();
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#view.byteLength;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  uint8(): number {
    return this.#view.getUint8(this.#at++);
  }

  char(): string {
    return String.fromCharCode(this.uint8());
  }

  uint16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }

  uint32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  lsn(): Lsn {
    const [high, low] = [this.uint32(), this.uint32()];
    return `${high.toString(16).toUpperCase()}/${low.toString(16).toUpperCase()}`;
  }

  /** Zero-terminated. */
  text(): string {
    const start = this.#at;
    while (this.uint8() !== 0);
    return this.#decode(start, this.#at - 1);
  }

  /** With its length before it. */
  counted(): string {
    const length = this.uint32();
    this.#at += length;
    return this.#decode(this.#at - length, this.#at);
  }

  #decode(start: number, end: number): string {
    if (end > this.#view.byteLength) throw new RangeError('The message is cut off');
    return this.#text.decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + start, end - start));
  }
}
