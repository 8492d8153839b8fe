/**
 * The server connection that a session has left, while it is still open: it remembers what the session drew from sequences,
 * which no other one can be told. It is asked for nothing else.
 */

import { withDeadline } from '../base/async.ts';
import { frame } from '../wire/bytes.ts';
import { type Message, MessageReader } from '../wire/message-reader.ts';
import { B } from '../wire/message-type.ts';
import type { ServerConnection } from './server-connection.ts';

const ASK_TIMEOUT_MS = 5_000;
/** What it says of its own accord: the session hears its new server. */
const UNASKED: ReadonlySet<number> = new Set([B.notificationResponse, B.parameterStatus, B.noticeResponse]);

export class FormerServer {
  readonly #connection: ServerConnection;
  readonly #reader = new MessageReader(16 << 20);
  #answer: Buffer[] = [];
  #answered: ((answer: Buffer) => void) | undefined;

  /** `connection` is between two messages; whoever closes connections that were left closes it. */
  constructor(connection: ServerConnection) {
    this.#connection = connection;
    connection.attach({
      data: (chunk) => this.#read(chunk),
      drain: () => undefined,
      closed: () => undefined,
    });
  }

  get isOpen(): boolean {
    const { isClosed, isAsking, socket } = this.#connection;
    return !isClosed && !isAsking && !socket.writableEnded;
  }

  /** A whole request of the client's. Resolves with the whole answer, or with nothing when none comes. */
  async ask(request: Buffer): Promise<Buffer | undefined> {
    const answered = new Promise<Buffer>((resolve) => {
      this.#answered = resolve;
    });
    this.#connection.socket.write(request);
    const gone = this.#connection.untilClosed().then(() => undefined);
    const answer = withDeadline('the answer', ASK_TIMEOUT_MS, Promise.race([answered, gone]));
    return await answer.catch(() => undefined).finally(() => this.#forget());
  }

  #forget(): void {
    this.#answered = undefined;
    this.#answer = [];
  }

  #read(chunk: Buffer): boolean {
    try {
      for (const message of this.#reader.push(chunk)) this.#take(message);
    } catch {
      this.#connection.destroy();
    }
    return false;
  }

  #take({ type, body }: Message): void {
    if (this.#answered === undefined || UNASKED.has(type)) return;
    this.#answer.push(frame(String.fromCharCode(type), body));
    if (type === B.readyForQuery) this.#answered(Buffer.concat(this.#answer));
  }
}
