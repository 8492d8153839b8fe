/** Building and reading message bodies. Text is UTF-8 unless said otherwise; strings end with a zero byte. */

import { ProtocolError } from './protocol-error.ts';

export const int16 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeInt16BE(value);
  return bytes;
};

export const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
};

export const cstring = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf8');

/** Where the string that begins at `start` ends. @throws {ProtocolError} when that is not before `end` */
export function stringEnd(bytes: Buffer, start: number, end: number): number {
  // Names most often are empty.
  const at = bytes[start] === 0 ? start : bytes.indexOf(0, start);
  if (at < 0 || at >= end) throw new ProtocolError('A string in a message has no end');
  return at;
}

/** Type byte, length, body. */
export function frame(type: string, ...body: readonly Buffer[]): Buffer {
  let bodyBytes = 0;
  for (const part of body) bodyBytes += part.length;
  const message = Buffer.allocUnsafe(5 + bodyBytes);
  message[0] = type.charCodeAt(0);
  message.writeInt32BE(4 + bodyBytes, 1);
  let at = 5;
  for (const part of body) at += part.copy(message, at);
  return message;
}

/** Reads a body from its beginning; every read past the end is a ProtocolError. */
export class BodyReader {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get left(): number {
    return this.#body.length - this.#at;
  }

  byte(): number {
    return this.#take(1)[0] as number;
  }

  int16(): number {
    return this.#take(2).readInt16BE();
  }

  int32(): number {
    return this.#take(4).readInt32BE();
  }

  bytes(count: number): Buffer {
    return this.#take(count);
  }

  cstring(): string {
    return this.cstringBytes().toString('utf8');
  }

  cstringBytes(): Buffer {
    const end = this.#body.indexOf(0, this.#at);
    if (end < 0) throw new ProtocolError('A string in a message has no end');
    const text = this.#body.subarray(this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #take(count: number): Buffer {
    if (count < 0 || this.left < count) throw new ProtocolError('A message is shorter than its content');
    const part = this.#body.subarray(this.#at, this.#at + count);
    this.#at += count;
    return part;
  }
}
