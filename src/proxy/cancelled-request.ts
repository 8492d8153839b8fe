/**
 * A request that was cancelled while it was held: its client has the error already, its messages are read away. A server
 * would say ReadyForQuery at their end.
 */

import { type FrameScanner, type FrameVisitor, PASS, STOP } from '../wire/frame-scanner.ts';
import { F } from '../wire/message-type.ts';

export class CancelledRequest {
  #isPointSeen = false;
  #isOver = false;

  /** Up to and with its Query, FunctionCall or Sync; returns what is behind it. */
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
      this.#isPointSeen = type === F.query || type === F.functionCall || type === F.sync;
      return PASS;
    },
    body: () => undefined,
  };
}
