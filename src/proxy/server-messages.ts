/** What the messages of a session's server mean for it, and which of them need more than to be passed on. */

import { readParameterStatus } from '../wire/backend.ts';
import type { Conversation } from '../wire/conversation.ts';
import { CAPTURE, type FrameVisitor, PASS, STOP, type Verdict, WHOLE } from '../wire/frame-scanner.ts';
import { B } from '../wire/message-type.ts';
import { ProtocolError } from '../wire/protocol-error.ts';
import { exchangeInRowDescription, exchangeInTypeList } from '../wire/type-oids.ts';
import { UTF8 } from './client-encoding.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import type { OidTranslation } from './type-names.ts';

const MAX_PARAMETER_STATUS_BYTES = 65_536;
/** Of what describes columns or parameters; PostgreSQL's own are below 300 kB. */
const MAX_DESCRIPTION_BYTES = 1 << 20;

export class ServerMessages implements FrameVisitor {
  /** Parameters, as the client was told. */
  readonly announced = new Map<string, string>();
  /** Between the types that the client knows and those of its server. */
  translation: OidTranslation | undefined;
  isErrorKeptBack = false;
  readonly #conversation: Conversation;
  readonly #statements: PreparedStatements;
  readonly #mayLoseServer: () => boolean;
  #sawReady = false;

  /** `mayLoseServer`: whether the session could go on elsewhere, so that its server's last word is not for the client. */
  constructor(conversation: Conversation, statements: PreparedStatements, mayLoseServer: () => boolean) {
    this.#conversation = conversation;
    this.#statements = statements;
    this.#mayLoseServer = mayLoseServer;
  }

  /** Whether a ReadyForQuery has come since the last time. */
  tookReady(): boolean {
    const sawReady = this.#sawReady;
    this.#sawReady = false;
    return sawReady;
  }

  header(type: number, bodyBytes: number): Verdict {
    switch (type) {
      case B.dataRow:
        return PASS;
      case B.readyForQuery:
        if (bodyBytes !== 1) throw new ProtocolError('ReadyForQuery of another size');
        return CAPTURE;
      case B.parameterStatus:
        if (bodyBytes > MAX_PARAMETER_STATUS_BYTES) throw new ProtocolError('ParameterStatus of that size');
        return CAPTURE;
      case B.rowDescription:
      case B.parameterDescription:
        return this.#description(type, bodyBytes);
      case B.errorResponse:
        return this.#error();
      default:
        this.#note(type);
        return PASS;
    }
  }

  #description(type: number, bodyBytes: number): Verdict {
    if (this.translation === undefined) {
      if (type === B.rowDescription) this.#completed();
      return PASS;
    }
    if (bodyBytes > MAX_DESCRIPTION_BYTES) throw new ProtocolError('A description of that size');
    return WHOLE;
  }

  /** Unasked for, it is the server's last word: for the client only if it stays here. */
  #error(): Verdict {
    if (this.#mayLoseServer()) {
      this.isErrorKeptBack = true;
      return STOP;
    }
    if (this.#conversation.failed()) this.#statements.passedOver();
    return PASS;
  }

  #note(type: number): void {
    switch (type) {
      case B.bindComplete:
      case B.noData:
      case B.commandComplete:
      case B.emptyQueryResponse:
      case B.portalSuspended:
      case B.functionCallResponse:
        this.#completed();
        break;
      case B.parseComplete:
        this.#conversation.completed();
        this.#statements.parseConfirmed(this.announced.get('client_encoding') ?? UTF8);
        break;
      case B.closeComplete:
        this.#conversation.completed();
        this.#statements.closeConfirmed();
        break;
      case B.copyInResponse:
        this.#conversation.copyBegan();
    }
  }

  /** Anything but a Parse or a Close. */
  #completed(): void {
    this.#conversation.completed();
    this.#statements.otherConfirmed();
  }

  body(type: number, bytes: Buffer, start: number, end: number): void {
    if (type === B.readyForQuery) {
      this.#conversation.ready(bytes[start] as number);
      this.#statements.ready(this.#conversation.outstanding === 0 && !this.#conversation.unsynced);
      this.#sawReady = true;
    } else if (type === B.rowDescription) {
      this.#completed();
      if (this.translation) exchangeInRowDescription(bytes, start, end, this.translation.toClient);
    } else if (type === B.parameterDescription) {
      if (this.translation) exchangeInTypeList(bytes, start, end, this.translation.toClient);
    } else {
      const [name, value] = readParameterStatus(bytes.subarray(start, end));
      this.announced.set(name, value);
    }
  }
}
