/**
 * What can be told about a session from the messages that pass: is a request being worked on, is a transaction
 * open, is data being copied. Pure: it sees headers and two small bodies, and knows no socket.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html
 */

import { B, F, IDLE } from './message-type.ts';

export class Conversation {
  /** Query, Sync and FunctionCall messages that the server has not answered with ReadyForQuery. */
  outstanding = 0;
  /** Messages of the extended protocol were sent and no Sync followed yet. */
  unsynced = false;
  /** From the last ReadyForQuery: I idle, T in a transaction, E in a failed one. */
  transactionStatus: number = IDLE;
  /** The server waits for CopyData. */
  copyingIn = false;
  /** A Query ends what is unsynced as a Sync does, where nothing was sent behind it. */
  #queryEndsUnsynced = false;
  #lastPointIsSync = false;
  #syncsSinceExecute = 0;
  /** The client ended a COPY before its CopyInResponse was seen: how many Sync messages the server will ignore in it. */
  #ignoredInEarlyCopy: number | undefined;

  /** Nothing is under way and no transaction is open: the session could go on elsewhere. */
  get isIdle(): boolean {
    return this.outstanding === 0 && !this.unsynced && this.transactionStatus === IDLE;
  }

  /** May a pause keep this message back, together with all that follow? */
  mayHoldBefore(type: number): boolean {
    if (this.unsynced || this.copyingIn) return false;
    if (type === F.copyData || type === F.copyDone || type === F.copyFail || type === F.terminate)
      return false;
    // With answers outstanding the next ReadyForQuery tells whether we are inside a transaction: wait for it.
    return this.outstanding > 0 || this.transactionStatus === IDLE;
  }

  sent(type: number): void {
    switch (type) {
      case F.query:
      case F.functionCall:
        this.outstanding += 1;
        this.#queryEndsUnsynced = this.unsynced;
        this.#lastPointIsSync = false;
        return;
      case F.sync:
        // The server ignores Sync while it takes COPY data.
        if (this.copyingIn) return;
        this.outstanding += 1;
        this.unsynced = false;
        this.#lastPointIsSync = true;
        this.#syncsSinceExecute += 1;
        return;
      case F.execute:
        this.#syncsSinceExecute = 0;
        this.#sentUnsynced();
        return;
      case F.parse:
      case F.bind:
      case F.describe:
      case F.close:
      case F.flush:
        this.#sentUnsynced();
        return;
      case F.copyDone:
      case F.copyFail:
        if (this.copyingIn) this.copyingIn = false;
        // With nothing asked it ends a COPY that has failed by now, and the server ignores it.
        else if (this.outstanding > 0 || this.unsynced)
          this.#ignoredInEarlyCopy = this.#lastPointIsSync ? this.#syncsSinceExecute : 0;
        return;
      default:
        return;
    }
  }

  #sentUnsynced(): void {
    this.unsynced = true;
    this.#queryEndsUnsynced = false;
  }

  received(type: number): void {
    if (type === B.copyInResponse) {
      if (this.#ignoredInEarlyCopy !== undefined) {
        this.outstanding = Math.max(0, this.outstanding - this.#ignoredInEarlyCopy);
        this.#ignoredInEarlyCopy = undefined;
        return;
      }
      this.copyingIn = true;
      if (!this.#lastPointIsSync && this.outstanding > 0) return;
      // Started by Execute: a Sync that is already under way will be ignored, another follows the data.
      if (this.outstanding > 0) this.outstanding -= 1;
      this.unsynced = true;
    } else if (type === B.errorResponse) {
      this.copyingIn = false;
    }
  }

  ready(status: number): void {
    if (this.outstanding > 0) this.outstanding -= 1;
    if (this.outstanding === 0 && this.#queryEndsUnsynced) this.unsynced = false;
    this.transactionStatus = status;
    this.copyingIn = false;
    this.#ignoredInEarlyCopy = undefined;
  }
}
