/**
 * The protocol-level prepared statements of one session: what Parse made and Close has not undone.
 * Either counts when the server has confirmed it: after an error it passes over what follows up to the next Sync.
 */

import { stringEnd } from '../wire/bytes.ts';

/** Memory for an unnamed statement that a session keeps for the next one. */
const MAX_KEPT_BYTES = 65_536;
const SYNC_POINT = 0;
const UNNAMED = 1;
const QUERY_POINT = 2;
const utf8Bytes = (name: string): string => Buffer.from(name, 'utf8').toString('latin1');

interface Parsed {
  readonly name: string;
  readonly definition: Buffer;
}

export interface Prepared {
  /** Query text, zero byte, parameter types: the body of its Parse behind the name. */
  readonly definition: Buffer;
  /** The client_encoding of its text and name. */
  readonly encoding: string;
}
/** Undefined: of a portal. */
interface Closed {
  readonly closes: string | undefined;
}

type Pending = typeof SYNC_POINT | typeof QUERY_POINT | typeof UNNAMED | Parsed | Closed;

const isClosed = (pending: Pending): pending is Closed => typeof pending === 'object' && 'closes' in pending;

export class PreparedStatements {
  /** By name, as the bytes that the client sent. */
  readonly named = new Map<string, Prepared>();
  /** Another number after every change of `named`. */
  version = 0;
  #pending: Pending[] = [];
  /** The server passes over everything up to the next Sync, Query and FunctionCall included. */
  #isPassedOver = false;
  #unnamed: Buffer = Buffer.alloc(0);
  #unnamedBytes = 0;

  /** A definition, too: of the unnamed statement, which lives until the next Query or unnamed Parse. */
  get unnamed(): Buffer | undefined {
    return this.#unnamedBytes === 0 ? undefined : this.#unnamed.subarray(0, this.#unnamedBytes);
  }

  /** A Parse was sent; its body is `bytes` from `start` to `end`. */
  parseSent(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === 0) {
      this.#pending.push(UNNAMED);
      this.#keepUnnamed(bytes, start + 1, end);
      return;
    }
    const nameEnd = stringEnd(bytes, start, end);
    const name = bytes.toString('latin1', start, nameEnd);
    this.#pending.push({ name, definition: Buffer.from(bytes.subarray(nameEnd + 1, end)) });
  }

  /** The unnamed one, by another server than the session's. */
  unnamedParsedElsewhere(definition: Buffer): void {
    this.#keepUnnamed(definition, 0, definition.length);
  }

  /** A Parse was sent that is too large to be kept: nothing is known of its statement. */
  largeParseSent(): void {
    this.#unnamedBytes = 0;
    this.#pending.push(UNNAMED);
  }

  /** A Close was sent, with this body. */
  closeSent(bytes: Buffer, start: number, end: number): void {
    const isStatement = bytes[start] === 0x53;
    this.#pending.push({ closes: isStatement ? bytes.toString('latin1', start + 1, end - 1) : undefined });
  }

  closeConfirmed(): void {
    const [first] = this.#pending;
    if (first === undefined || !isClosed(first)) return;
    this.#pending.shift();
    if (first.closes !== undefined) this.#forget(first.closes);
  }

  /** Of a statement that exists, or will when the server has worked off what was sent. */
  definitionOf(name: string): Buffer | undefined {
    for (const pending of this.#pending) {
      if (typeof pending === 'object' && !isClosed(pending) && pending.name === name)
        return pending.definition;
    }
    return this.named.get(name)?.definition;
  }

  syncPointSent(): void {
    this.#pending.push(SYNC_POINT);
  }

  querySent(): void {
    this.#unnamedBytes = 0;
    this.#pending.push(QUERY_POINT);
  }

  functionCallSent(): void {
    this.#pending.push(QUERY_POINT);
  }

  passedOver(): void {
    this.#isPassedOver = true;
  }

  /** `encoding`: the session's client_encoding, as the server has announced it by now. */
  parseConfirmed(encoding: string): void {
    const [first] = this.#pending;
    if (first === undefined || first === SYNC_POINT || first === QUERY_POINT || isClosed(first)) return;
    this.#pending.shift();
    if (first === UNNAMED) return;
    this.named.set(first.name, { definition: first.definition, encoding });
    this.version += 1;
  }

  /**
   * ReadyForQuery: what was not confirmed before it never will be. `isLast`: the server owes no other answer; it may have
   * passed over a Sync, as it does while it takes the data of a COPY.
   */
  ready(isLast: boolean): void {
    const point = isLast ? -1 : this.#pending.findIndex((pending) => this.#isAnswered(pending));
    this.#pending = point < 0 ? [] : this.#pending.slice(point + 1);
    this.#isPassedOver = false;
  }

  #isAnswered(pending: Pending): boolean {
    return pending === SYNC_POINT || (pending === QUERY_POINT && !this.#isPassedOver);
  }

  /**
   * Drops what the server says it does not have (DEALLOCATE, DISCARD).
   * @returns names that the server has and we do not
   */
  keepOnly(names: readonly string[]): string[] {
    // We know names as bytes, in the client's encoding, which most often is UTF-8.
    const existing = new Set(names.flatMap((name) => [name, utf8Bytes(name)]));
    for (const name of this.named.keys()) if (!existing.has(name)) this.#forget(name);
    return names.filter((name) => !this.named.has(name) && !this.named.has(utf8Bytes(name)));
  }

  #forget(name: string): void {
    if (this.named.delete(name)) this.version += 1;
  }

  /** Into the same memory again and again: this happens for every request of many drivers. */
  #keepUnnamed(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    const isMuchTooLarge = this.#unnamed.length > MAX_KEPT_BYTES && size <= MAX_KEPT_BYTES;
    if (this.#unnamed.length < size || isMuchTooLarge)
      this.#unnamed = Buffer.allocUnsafeSlow(Math.ceil(size / 256) * 256);
    bytes.copy(this.#unnamed, 0, start, end);
    this.#unnamedBytes = size;
  }
}
