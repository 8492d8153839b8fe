/**
 * A request that was cancelled while it was held: its client has the error already, its messages are read away. A server
 * would say ReadyForQuery at their end.
 */

import { type FrameScanner, type FrameVisitor, PASS, STOP } from '../wire/frame-scanner.ts';
import { EXTENDED, F } from '../wire/message-type.ts';

export class CancelledRequest {
  /** Of the extended protocol: a Query or FunctionCall in it is passed over, too. */
  #isExtended = false;
  #isPointSeen = false;
  #isOver = false;

  /** Up to and with its Sync, Query or FunctionCall; returns what is behind it. */
  discard(bytes: Buffer, scanner: FrameScanner): Buffer {
    const end = scanner.scan(bytes, 0, this.#visitor);
    this.#isOver = this.#isPointSeen && scanner.atBoundary;
    return bytes.subarray(end);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  readonly #visitor: FrameVisitor = {
    header: (type) => {
      if (this.#isPointSeen) return STOP;
      this.#isExtended ||= EXTENDED.has(type);
      const isCall = type === F.query || type === F.functionCall;
      this.#isPointSeen = type === F.sync || (isCall && !this.#isExtended);
      return PASS;
    },
    body: () => undefined,
  };
}
