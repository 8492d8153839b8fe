/**
 * What is known of a session from its client's messages: its statements and settings, what it holds on its server, and
 * whether that still holds. Looks at messages and keeps account; sockets and servers are others' business.
 */

import { stringEnd } from '../wire/bytes.ts';
import { CAPTURE, PASS } from '../wire/frame-scanner.ts';
import { F } from '../wire/message-type.ts';
import { CustomSettings } from './custom-settings.ts';
import type { Holdings } from './holdings.ts';
import { PreparedStatements } from './prepared-statements.ts';
import type { RecentStatements } from './recent-statements.ts';
import { mayAffectSession } from './session-effect.ts';

/** Of that many requests of a session one is remembered for warming; all of its first ones are. */
const SAMPLE_EVERY = 16;
const SAMPLE_FIRST = 64;
const MAX_CAPTURED_BYTES = 65_536;
/** Statements larger than this carry data; they pass without being kept, and cannot be prepared elsewhere. */
const MAX_STATEMENT_BYTES = 16 << 20;
const QUERY_CHARACTERS = 200;

export class SessionKnowledge {
  readonly statements = new PreparedStatements();
  readonly customSettings = new CustomSettings();
  /** Requests since the start. */
  requests = 0;
  /** How the last statement's text begins. */
  lastQuery = '';
  /** Undefined when nothing is known, or something has passed since that may have changed them. */
  holdings: Holdings | undefined;
  /** The server does not have the client's unnamed statement: it is another one, or a Query of ours made it forget. */
  unnamedIsMissing = false;
  readonly #recent: RecentStatements;

  constructor(recent: RecentStatements) {
    this.#recent = recent;
  }

  unnamedForgotten(): void {
    this.unnamedIsMissing = this.statements.unnamed !== undefined;
  }

  /** A request of the client's was answered by another server, with the unnamed statement that it parsed. */
  answeredElsewhere(parsed: Buffer | undefined): void {
    this.requests += 1;
    if (parsed === undefined) return;
    this.statements.unnamedParsedElsewhere(parsed);
    this.unnamedIsMissing = true;
  }

  /** A message of the client's is passed on. @returns whether its body is to be shown to read() */
  sent(type: number, bodyBytes: number): typeof PASS | typeof CAPTURE {
    switch (type) {
      case F.query:
        this.requests += 1;
        this.statements.querySent();
        this.unnamedIsMissing = false;
        return this.#captureUpTo(MAX_CAPTURED_BYTES, bodyBytes);
      case F.sync:
        this.requests += 1;
        this.statements.syncPointSent();
        return PASS;
      case F.functionCall:
        this.requests += 1;
        this.statements.functionCallSent();
        this.holdings = undefined;
        return bodyBytes <= MAX_CAPTURED_BYTES ? CAPTURE : PASS;
      case F.parse:
        if (bodyBytes > MAX_STATEMENT_BYTES) this.statements.largeParseSent();
        return this.#captureUpTo(MAX_STATEMENT_BYTES, bodyBytes);
      case F.close:
        return bodyBytes <= MAX_CAPTURED_BYTES ? CAPTURE : PASS;
      case F.describe:
      case F.execute:
        this.statements.otherSent();
        return PASS;
      case F.bind: {
        this.statements.otherSent();
        const isLookedAt =
          this.#isSampling || this.holdings !== undefined || this.customSettings.hasBoundNames;
        return isLookedAt ? this.#captureUpTo(MAX_CAPTURED_BYTES, bodyBytes) : PASS;
      }
      default:
        return PASS;
    }
  }

  /** Larger ones pass unseen: whatever they do may have changed what the session holds. */
  #captureUpTo(maxBytes: number, bodyBytes: number): typeof PASS | typeof CAPTURE {
    if (bodyBytes <= maxBytes) return CAPTURE;
    this.holdings = undefined;
    return PASS;
  }

  /** The body of a message that is passed on: `bytes` from `start` to `end`. */
  read(type: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case F.query:
        this.#noteText(bytes, start, end - 1);
        if (this.#isSampling) this.#recent.addQuery(bytes.subarray(start, end - 1));
        return;
      case F.parse:
        this.#noteParse(bytes, start, end);
        return;
      case F.close:
        this.statements.closeSent(bytes, start, end);
        return;
      case F.bind:
        this.#noteBind(bytes, start, end);
        return;
      case F.functionCall:
        this.customSettings.lookAtCall(bytes.subarray(start, end));
    }
  }

  get #isSampling(): boolean {
    return this.requests < SAMPLE_FIRST || this.requests % SAMPLE_EVERY === 0;
  }

  #noteText(bytes: Buffer, start: number, end: number): void {
    this.lastQuery = bytes.toString('utf8', start, Math.min(end, start + QUERY_CHARACTERS));
    const names = this.customSettings.look(bytes, start, end);
    if (this.holdings !== undefined) this.#judge(bytes.toString('latin1', start, end), names);
  }

  /** Between a prepare and the pause: is what we know of the session still true after this statement? */
  #judge(text: string, names: readonly string[]): void {
    // A SET LOCAL, which is harmless otherwise, leaves an empty setting where there was none.
    const isNew = names.some((name) => this.holdings?.customNames.includes(name) !== true);
    if (isNew || mayAffectSession(text)) this.holdings = undefined;
  }

  #noteParse(bytes: Buffer, start: number, end: number): void {
    const textStart = stringEnd(bytes, start, end) + 1;
    const isUnnamed = textStart === start + 1;
    if (isUnnamed) this.unnamedIsMissing = false;
    this.#noteText(bytes, textStart, stringEnd(bytes, textStart, end));
    this.statements.parseSent(bytes, start, end);
    // It has been judged, and what is known still holds.
    if (isUnnamed && this.holdings !== undefined) this.statements.unnamedIsHarmless();
  }

  #noteBind(bytes: Buffer, start: number, end: number): void {
    const nameStart = stringEnd(bytes, start, end) + 1;
    const nameEnd = stringEnd(bytes, nameStart, end);
    const definition =
      nameEnd === nameStart
        ? this.statements.unnamed
        : this.statements.definitionOf(bytes.toString('latin1', nameStart, nameEnd));
    if (definition === undefined) {
      this.holdings = undefined;
      return;
    }
    const isJudged = nameEnd === nameStart && this.statements.isUnnamedHarmless;
    if (this.holdings !== undefined && !isJudged) {
      const textEnd = definition.indexOf(0);
      this.#judge(
        definition.toString('latin1', 0, textEnd),
        this.customSettings.look(definition, 0, textEnd),
      );
    }
    const tail = bytes.subarray(nameEnd + 1, end);
    if (this.customSettings.hasBoundNames) this.customSettings.lookAtBind(definition, tail);
    if (this.#isSampling) this.#recent.add(definition, tail);
  }
}
