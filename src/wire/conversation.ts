/**
 * What can be told about a session from the messages that pass: is a request being worked on, is a transaction
 * open, is data being copied. Pure: it sees headers and two small bodies, and knows no socket.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html
 */

import { F, IDLE } from './message-type.ts';

/** What ReadyForQuery answers. A positive number beside them is a run of that many messages of the extended protocol. */
const QUERY_POINT = -1;
const SYNC_POINT = -2;
/** The client ended a COPY whose CopyInResponse was not seen yet; none will come where the COPY fails. */
const COPY_END = 0;

const isPoint = (owed: number): boolean => owed < 0;

export class Conversation {
  /** Points and runs that the server has still to work off, in its order. */
  readonly #owed: number[] = [];
  /** After an error in the extended protocol the server passes over everything up to the next Sync. */
  #isPassedOver = false;
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
  /** Syncs within a COPY: the server ignores them, if it comes to them before the COPY fails. */
  #syncsInCopy = 0;
  /** Those of a COPY that failed: each may have been answered, or not. */
  #uncertain = 0;
  /** The server has said something to what it owes the next ReadyForQuery for. */
  #isAnswering = false;
  /** Messages of the extended protocol were sent behind those that the server passes over. */
  #isMoreSent = false;

  /** Nothing is under way and no transaction is open: the session could go on elsewhere. */
  get isIdle(): boolean {
    return this.outstanding === 0 && !this.unsynced && this.transactionStatus === IDLE;
  }

  /** So many more ReadyForQuery than are known of may be on their way. The answer to anything else shows that none is. */
  get uncertain(): number {
    return this.#uncertain;
  }

  /** The server has answered a question of ours, behind all that was the client's. */
  isCertain(): void {
    this.#uncertain = 0;
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
        if (this.#isPassedOver) return;
        this.outstanding += 1;
        this.#owed.push(QUERY_POINT);
        this.#queryEndsUnsynced = this.unsynced;
        return;
      case F.sync:
        if (this.copyingIn) {
          this.#syncsInCopy += 1;
          return;
        }
        this.outstanding += 1;
        this.#owed.push(SYNC_POINT);
        this.#isPassedOver = false;
        this.unsynced = false;
        return;
      case F.parse:
      case F.bind:
      case F.execute:
      case F.describe:
      case F.close:
        this.#sentUnsynced();
        this.#owesOneMore();
        return;
      case F.flush:
        this.#sentUnsynced();
        return;
      case F.copyDone:
      case F.copyFail:
        if (this.copyingIn) this.copyingIn = false;
        // With nothing asked it ends a COPY that has failed by now, and the server ignores it.
        else if (this.outstanding > 0 || this.unsynced) this.#owed.push(COPY_END);
        return;
      default:
        return;
    }
  }

  #sentUnsynced(): void {
    this.unsynced = true;
    this.#queryEndsUnsynced = false;
    this.#isMoreSent = true;
  }

  #owesOneMore(): void {
    if (this.#isPassedOver) return;
    const run = this.#owed.at(-1) ?? 0;
    if (run > 0) this.#owed[this.#owed.length - 1] = run + 1;
    else this.#owed.push(1);
  }

  /** The last word about one message of the extended protocol. */
  completed(): void {
    this.#answers();
    const run = this.#first;
    if (run === 1) this.#owed.shift();
    else if (run > 1) this.#owed[0] = run - 1;
  }

  /** In its order: the COPY, if there was one, has ended well, and whatever came before is answered. */
  #answers(): void {
    this.#isAnswering = true;
    this.#syncsInCopy = 0;
    this.#uncertain = 0;
  }

  /** What the server is at. In front of everything COPY_END ends nothing any more. */
  get #first(): number {
    while (this.#owed[0] === COPY_END) this.#owed.shift();
    return this.#owed[0] ?? 0;
  }

  /** Nothing of the failed run, and no Query behind it, is answered. */
  #passOver(): void {
    while (this.#owed.length > 0 && this.#owed[0] !== SYNC_POINT) {
      if (this.#owed.shift() === QUERY_POINT) this.outstanding -= 1;
    }
    this.#isPassedOver = this.#owed.length === 0;
    this.#isMoreSent = false;
    if (!this.#isPassedOver) this.#queryEndsUnsynced = false;
  }

  /** A CopyInResponse: up to the end of the data the server ignores Sync, however many are under way. */
  copyBegan(): void {
    this.#answers();
    const isExtended = this.#first > 0;
    let syncs = 0;
    while (this.#owed[1 + syncs] === SYNC_POINT) syncs += 1;
    this.#owed.splice(1, syncs);
    this.outstanding -= syncs;
    this.#syncsInCopy = syncs;
    if (this.#owed[1] === COPY_END) this.#owed.splice(1, 1);
    else this.copyingIn = true;
    // The Sync that answers it is still to be sent, after the data.
    if (isExtended && !this.#owed.some(isPoint)) this.unsynced = true;
  }

  /** An ErrorResponse. @returns whether the server now passes over what follows, up to the next Sync */
  failed(): boolean {
    this.copyingIn = false;
    this.#uncertain = this.#syncsInCopy;
    this.#syncsInCopy = 0;
    // With nothing left to answer it is a Flush that failed.
    const isExtended = this.#first > 0 || (this.#first === 0 && this.unsynced);
    // In the extended protocol nothing is answered but the next Sync.
    this.#isAnswering = !isExtended;
    if (isExtended) this.#passOver();
    return isExtended;
  }

  ready(status: number): void {
    // A Sync is answered with nothing else, so that one that is certain cannot be told from one that is not.
    const isOfUncertain = this.#uncertain > 0 && !this.#isAnswering && this.#first !== SYNC_POINT;
    this.#isAnswering = false;
    if (isOfUncertain) this.#uncertainAnswered();
    else this.#pointAnswered();
    this.transactionStatus = status;
    this.copyingIn = false;
    if (this.outstanding > 0 || this.unsynced) return;
    if (this.#owed.length > 0) this.#owed.length = 0;
    this.#isPassedOver = false;
  }

  #pointAnswered(): void {
    while (this.#owed.length > 0 && !isPoint(this.#owed.shift() ?? 0));
    if (this.outstanding > 0) this.outstanding -= 1;
    if (this.outstanding === 0 && this.#queryEndsUnsynced) this.unsynced = false;
  }

  #uncertainAnswered(): void {
    this.#uncertain -= 1;
    if (!this.#isPassedOver) return;
    this.#isPassedOver = false;
    this.unsynced = this.#isMoreSent;
  }
}
