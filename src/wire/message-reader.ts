/** Whole messages out of a stream of chunks, for the small ones of logging in and of our own few queries. */

import { KeptBytes } from './kept-bytes.ts';
import { ProtocolError } from './protocol-error.ts';

export interface Message {
  readonly type: number;
  readonly body: Buffer;
}

const HEADER_BYTES = 5;

export class MessageReader {
  readonly #kept = new KeptBytes();
  /** With fewer bytes there is nothing to read: a large message is put together once. */
  #wanted = HEADER_BYTES;
  readonly #maxBytes: number;

  constructor(maxBytes = 1 << 20) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that came after the last whole message. */
  get rest(): Buffer {
    const rest = this.#kept.take();
    this.#kept.add(rest);
    return rest;
  }

  /** @throws {ProtocolError} when a message is impossible or larger than what is expected here */
  push(chunk: Buffer): Message[] {
    this.#kept.add(chunk);
    if (this.#kept.length < this.#wanted) return [];
    const data = this.#kept.take();
    this.#wanted = HEADER_BYTES;
    const messages: Message[] = [];
    let at = 0;
    while (data.length - at >= HEADER_BYTES) {
      const length = data.readInt32BE(at + 1);
      if (length < 4 || length > this.#maxBytes) {
        throw new ProtocolError(`Unexpected message of type 0x${data[at]?.toString(16)}, length ${length}`);
      }
      if (data.length - at < 1 + length) {
        this.#wanted = 1 + length;
        break;
      }
      messages.push({ type: data[at] as number, body: data.subarray(at + 5, at + 1 + length) });
      at += 1 + length;
    }
    this.#kept.add(data.subarray(at));
    return messages;
  }
}
