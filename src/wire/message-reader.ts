/** Whole messages out of a stream of chunks, for the small ones of logging in and of our own few queries. */

import { ProtocolError } from './protocol-error.ts';

export interface Message {
  readonly type: number;
  readonly body: Buffer;
}

export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);
  readonly #maxBytes: number;

  constructor(maxBytes = 1 << 20) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that came after the last whole message. */
  get rest(): Buffer {
    return this.#rest;
  }

  /** @throws {ProtocolError} when a message is impossible or larger than what is expected here */
  push(chunk: Buffer): Message[] {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    let at = 0;
    while (data.length - at >= 5) {
      const length = data.readInt32BE(at + 1);
      if (length < 4 || length > this.#maxBytes) {
        throw new ProtocolError(`Unexpected message of type 0x${data[at]?.toString(16)}, length ${length}`);
      }
      if (data.length - at < 1 + length) break;
      messages.push({ type: data[at] as number, body: data.subarray(at + 5, at + 1 + length) });
      at += 1 + length;
    }
    this.#rest = data.subarray(at);
    return messages;
  }
}
