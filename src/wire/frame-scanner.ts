/**
 * Finds where messages begin in a stream of chunks, whatever the chunking, without copying bodies.
 * A message is one type byte, a 32-bit length that counts itself, and the body.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

import { ProtocolError } from './protocol-error.ts';

export const HEADER_BYTES = 5;
/** PostgreSQL allocates no more than this for one message. */
const MAX_LENGTH = 0x3fffffff;

/** What to do with a message, decided when its header is seen. */
export const PASS = 0;
/** Do not go past this message: scan() returns the offset of its header. */
export const STOP = 1;
/** Also hand over its body, once it is complete. For messages known to be small: this copies when the body comes in pieces. */
export const CAPTURE = 2;
/** Like CAPTURE, and nothing of the message is passed on before it is complete: body() may change it in place. */
export const WHOLE = 3;
export type Verdict = typeof PASS | typeof STOP | typeof CAPTURE | typeof WHOLE;

export interface FrameVisitor {
  /** `bodyBytes` is the size announced by the header; the body may still be on its way. `firstByte`: of the body, if it has come. */
  header(type: number, bodyBytes: number, firstByte: number | undefined): Verdict;
  /** A captured body: `bytes` from `start` to `end`, valid during the call only. Two offsets instead of a view: this is the hot path. */
  body(type: number, bytes: Buffer, start: number, end: number): void;
}

export class FrameScanner {
  /** Bytes of the current body that later chunks will bring. */
  #bodyLeft = 0;
  #capture: { type: number; parts: Buffer[] } | undefined;
  /** The message that scan() went back to was judged WHOLE: a header is shown once. */
  #isWhole = false;
  #wanted = 0;

  /** True between two messages. */
  get atBoundary(): boolean {
    return this.#bodyLeft === 0;
  }

  /** How many bytes there must be, from where scan() stopped, before it gets any further. */
  get wanted(): number {
    return this.#wanted;
  }

  /**
   * Follows `chunk` from `from` and returns how far it may be passed on: its end, or the header of the message
   * that was stopped at, or an incomplete header or WHOLE message, which the caller keeps and puts before what comes.
   * @throws {ProtocolError} when a length is impossible
   */
  scan(chunk: Buffer, from: number, visitor: FrameVisitor): number {
    const size = chunk.length;
    let at = from;
    this.#wanted = 0;
    if (this.#bodyLeft > 0) {
      at = this.#continueBody(chunk, at, visitor);
    }
    while (size - at >= HEADER_BYTES) {
      const type = chunk[at] as number;
      const length =
        ((chunk[at + 1] as number) << 24) |
        ((chunk[at + 2] as number) << 16) |
        ((chunk[at + 3] as number) << 8) |
        (chunk[at + 4] as number);
      if (length < 4 || length > MAX_LENGTH) {
        throw new ProtocolError(`Impossible length ${length} in a message of type 0x${type.toString(16)}`);
      }
      const verdict = this.#isWhole ? WHOLE : visitor.header(type, length - 4, chunk[at + HEADER_BYTES]);
      this.#isWhole = false;
      if (verdict === STOP) return at;
      const end = at + 1 + length;
      if (end <= size) {
        if (verdict >= CAPTURE) visitor.body(type, chunk, at + HEADER_BYTES, end);
        at = end;
        continue;
      }
      if (verdict === WHOLE) {
        this.#isWhole = true;
        this.#wanted = end - at;
        return at;
      }
      this.#bodyLeft = end - size;
      if (verdict === CAPTURE) {
        this.#capture = { type, parts: [Buffer.from(chunk.subarray(at + HEADER_BYTES))] };
      }
      return size;
    }
    if (at < size) this.#wanted = HEADER_BYTES;
    return at;
  }

  #continueBody(chunk: Buffer, from: number, visitor: FrameVisitor): number {
    const end = Math.min(chunk.length, from + this.#bodyLeft);
    this.#bodyLeft -= end - from;
    const capture = this.#capture;
    if (capture !== undefined) {
      capture.parts.push(Buffer.from(chunk.subarray(from, end)));
      if (this.#bodyLeft === 0) {
        this.#capture = undefined;
        const body = Buffer.concat(capture.parts);
        visitor.body(capture.type, body, 0, body.length);
      }
    }
    return end;
  }
}
