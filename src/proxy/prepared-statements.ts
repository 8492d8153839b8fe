/**
 * The protocol-level prepared statements of one session: what Parse made and Close has not undone.
 * Either counts when the server has confirmed it: after an error it passes over what follows up to the next Sync.
 */

import { stringEnd } from '../wire/bytes.ts';
import { LONGEST_NAME_BYTES } from './split-statements.ts';
import { UnnamedStatement } from './unnamed-statement.ts';

const SYNC_POINT = 0;
const QUERY_POINT = 1;
const CALL_POINT = 2;
/** A Parse that was too large to be kept. */
const LARGE = 3;
/** Bind, Describe, Execute: kept to know which message it is that fails. */
const OTHER = 4;
const isQueryOrCall = (pending: Pending): boolean => pending === QUERY_POINT || pending === CALL_POINT;
/** Of a name, as bytes. */
const known = (name: string): string => name.slice(0, LONGEST_NAME_BYTES);
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

type Pending =
  | typeof SYNC_POINT
  | typeof QUERY_POINT
  | typeof CALL_POINT
  | typeof LARGE
  | typeof OTHER
  | UnnamedStatement
  | Parsed
  | Closed;

const isClosed = (pending: Pending): pending is Closed => typeof pending === 'object' && 'closes' in pending;
const isParsed = (pending: Pending): pending is Parsed => typeof pending === 'object' && 'name' in pending;

export class PreparedStatements {
  /** By name, as the bytes that the client sent, up to those that the server looks at. */
  readonly named = new Map<string, Prepared>();
  /** Another number after every change of `named`. */
  version = 0;
  #pending: Pending[] = [];
  /** The server passes over everything up to the next Sync, Query and FunctionCall included. */
  #isPassedOver = false;
  /** As the server has it now. */
  #unnamed = new UnnamedStatement();
  /** Its memory is for the next one: this happens for every request of many drivers. */
  #spare: UnnamedStatement | undefined;

  /**
   * A definition, too: of the unnamed statement, which lives until the next Query or unnamed Parse. As it will be when the server
   * has worked off what was sent.
   */
  get unnamed(): Buffer | undefined {
    return this.#unnamedToBe?.definition;
  }

  get isUnnamedHarmless(): boolean {
    return this.#unnamedToBe?.isHarmless ?? false;
  }

  /** Of the last that was sent. */
  unnamedIsHarmless(): void {
    const last = this.#pending.at(-1);
    if (last instanceof UnnamedStatement) last.isHarmless = true;
  }

  get #unnamedToBe(): UnnamedStatement | undefined {
    for (let at = this.#pending.length - 1; at >= 0; at--) {
      const pending = this.#pending[at] as Pending;
      if (pending instanceof UnnamedStatement) return pending;
      if (pending === QUERY_POINT || pending === LARGE) return undefined;
      if (typeof pending === 'object' && isClosed(pending) && pending.closes === '') return undefined;
    }
    return this.#unnamed;
  }

  /** A Parse was sent; its body is `bytes` from `start` to `end`. */
  parseSent(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === 0) {
      const unnamed = this.#spare ?? new UnnamedStatement();
      this.#spare = undefined;
      unnamed.keep(bytes, start + 1, end);
      this.#pending.push(unnamed);
      return;
    }
    const nameEnd = stringEnd(bytes, start, end);
    const name = known(bytes.toString('latin1', start, nameEnd));
    this.#pending.push({ name, definition: Buffer.from(bytes.subarray(nameEnd + 1, end)) });
  }

  /** The unnamed one, by another server than the session's. */
  unnamedParsedElsewhere(definition: Buffer): void {
    this.#unnamed.keep(definition, 0, definition.length);
  }

  /** A Parse was sent that is too large to be kept: nothing is known of its statement. */
  largeParseSent(): void {
    this.#pending.push(LARGE);
  }

  /** A Bind, a Describe or an Execute was sent. */
  otherSent(): void {
    this.#pending.push(OTHER);
  }

  /** The last word about one of these. */
  otherConfirmed(): void {
    if (this.#first === OTHER) this.#pending.shift();
  }

  /** What the server is at. It has ignored a Sync that it does not answer before that: it does while it takes the data of a COPY. */
  get #first(): Pending | undefined {
    while (this.#pending[0] === SYNC_POINT) this.#pending.shift();
    return this.#pending[0];
  }

  /** A Close was sent, with this body. */
  closeSent(bytes: Buffer, start: number, end: number): void {
    const isStatement = bytes[start] === 0x53;
    const name = known(bytes.toString('latin1', start + 1, end - 1));
    this.#pending.push({ closes: isStatement ? name : undefined });
  }

  closeConfirmed(): void {
    const first = this.#first;
    if (first === undefined || !isClosed(first)) return;
    this.#pending.shift();
    if (first.closes === '') this.#unnamed.drop();
    else if (first.closes !== undefined) this.#forget(first.closes);
  }

  /** Of a statement that exists, or will when the server has worked off what was sent. */
  definitionOf(written: string): Buffer | undefined {
    const name = known(written);
    for (let at = this.#pending.length - 1; at >= 0; at--) {
      const pending = this.#pending[at] as Pending;
      if (typeof pending !== 'object') continue;
      if (isParsed(pending) && pending.name === name) return pending.definition;
      if (isClosed(pending) && pending.closes === name) return undefined;
    }
    return this.named.get(name)?.definition;
  }

  syncPointSent(): void {
    this.#pending.push(SYNC_POINT);
  }

  querySent(): void {
    this.#pending.push(QUERY_POINT);
  }

  functionCallSent(): void {
    this.#pending.push(CALL_POINT);
  }

  /** A message of the extended protocol failed. */
  passedOver(): void {
    this.#isPassedOver = true;
    const failed = this.#first;
    // The server has dropped the former one before it looks at the new one's text.
    if (failed instanceof UnnamedStatement || failed === LARGE) this.#unnamed.drop();
  }

  /** `encoding`: the session's client_encoding, as the server has announced it by now. */
  parseConfirmed(encoding: string): void {
    const first = this.#first;
    if (first instanceof UnnamedStatement) {
      this.#spare = this.#unnamed;
      this.#unnamed = first;
    } else if (first === LARGE) this.#unnamed.drop();
    else if (first === undefined || !isParsed(first)) return;
    this.#pending.shift();
    if (first === LARGE || first instanceof UnnamedStatement) return;
    this.named.set(first.name, { definition: first.definition, encoding });
    this.version += 1;
  }

  /**
   * ReadyForQuery: what was not confirmed before it never will be. `isLast`: the server owes no other answer; it may have
   * passed over a Sync, as it does while it takes the data of a COPY.
   */
  ready(isLast: boolean): void {
    const point = isLast ? -1 : this.#pending.findIndex((pending) => this.#isAnswered(pending));
    const over = this.#pending.splice(0, point < 0 ? this.#pending.length : point + 1);
    if (!this.#isPassedOver && over.includes(QUERY_POINT)) this.#unnamed.drop();
    this.#isPassedOver = false;
  }

  #isAnswered(pending: Pending): boolean {
    return pending === SYNC_POINT || (isQueryOrCall(pending) && !this.#isPassedOver);
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
}
