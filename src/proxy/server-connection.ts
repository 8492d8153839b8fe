/** One logged-in connection to a server: it either answers our own few queries or is attached to a session. */

import type { Socket } from 'node:net';
import type { ServerAddress } from '../config/server-address.ts';
import { tlsAttempts } from '../config/tls-attempts.ts';
import type { Side } from '../domain/names.ts';
import { readDataRow, readError, readParameterStatus } from '../wire/backend.ts';
import { frame } from '../wire/bytes.ts';
import { cancelRequest, startupMessage, terminate } from '../wire/frontend.ts';
import { type Message, MessageReader } from '../wire/message-reader.ts';
import { B } from '../wire/message-type.ts';
import { ServerRefusal } from './client-error.ts';
import { Intake } from './intake.ts';
import { answerAuthentication, type Credential, type ServerAuthentication } from './server-login.ts';
import { connectSocket } from './upstream-socket.ts';

export interface ServerLogin {
  readonly side: Side;
  readonly address: ServerAddress;
  /** user, database and what else the client asked for in its start-up message. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly credential: Credential;
  readonly timeoutMs: number;
}

/** Who gets what the server sends. */
export interface Receiver {
  /** @returns true when it needs the bytes no longer: the next ones may be written over them */
  data(chunk: Buffer): boolean;
  drain(): void;
  closed(): void;
}

/** What came back for our own messages: rows and errors, in order of their ReadyForQuery. */
export interface Answer {
  readonly rows: Buffer[];
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export const QUERY_CANCELED = '57014';
const MAX_UNHEARD_BYTES = 1 << 20;
/** PostgreSQL's own. Whatever it has to say of a session is no reason to cut its client's connection. */
const MAX_MESSAGE_BYTES = 0x3fffffff;
/** What the answer to a message of ours begins with. */
const FIRST_WORDS: ReadonlySet<number> = new Set([
  B.parseComplete,
  B.bindComplete,
  B.closeComplete,
  B.errorResponse,
]);

export class ServerConnection {
  readonly side: Side;
  readonly parameters = new Map<string, string>();
  /** At the log-in, as whole messages: for a client that begins here, not for one that comes later. */
  readonly warnings: Buffer[] = [];
  readonly socket: Socket;
  readonly #address: ServerAddress;
  pid = 0;
  #secret: Buffer = Buffer.alloc(0);
  /** What the server said of its own accord while no session was attached: notifications above all. */
  #unheard: Buffer = Buffer.alloc(0);
  readonly #keeper: Receiver = {
    data: (chunk) => this.#keep(chunk),
    drain: () => undefined,
    closed: () => undefined,
  };
  /** Whose connection it is; while we ask something, what comes is for us first. */
  #owner: Receiver = this.#keeper;
  #receiver: Receiver = this.#keeper;
  #closed = false;
  #asks = 0;
  #lastAsk: Promise<void> = Promise.resolve();
  /** A session's server has not answered us in time: its answer is still ours. */
  #isLate = false;
  /** Of questions that wait for their turn: to be told that it does not come. */
  readonly #waiting = new Set<(error: Error) => void>();
  #giveUp: ((error: Error) => void) | undefined;
  /** The question for a session's holdings is prepared here. */
  knowsQuestion = false;
  /** So many ReadyForQuery of the session's may still come before the answer to us, with nothing else before them. */
  uncertain = 0;

  private constructor(socket: Socket, intake: Intake, login: ServerLogin) {
    this.socket = socket;
    this.side = login.side;
    this.#address = login.address;
    intake.take = (chunk) => this.#receiver.data(chunk);
    socket.on('drain', () => this.#receiver.drain());
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#receiver.closed();
    });
  }

  /**
   * Connects and logs in.
   * @throws {ServerRefusal} with the server's own error; otherwise what the network said
   */
  static async open(login: ServerLogin): Promise<ServerConnection> {
    const signal = AbortSignal.timeout(login.timeoutMs);
    let failure: unknown;
    for (const attempt of tlsAttempts(login.address)) {
      try {
        const intake = new Intake();
        const socket = await connectSocket(login.address, attempt, signal, intake);
        const connection = new ServerConnection(socket, intake, login);
        await connection.#logIn(login, signal);
        return connection;
      } catch (error) {
        failure = error;
        // The time is that of all attempts: one that begins behind it would wait without a limit.
        if (signal.aborted) break;
        // Only "no pg_hba.conf entry for this kind of connection" is worth another try with or without TLS.
        if (error instanceof ServerRefusal && error.code !== '28000') break;
      }
    }
    throw failure;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  async untilClosed(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      this.socket.once('close', () => resolve());
    });
  }

  attach(receiver: Receiver): void {
    this.#belongTo(receiver);
    const unheard = this.#takeUnheard();
    if (unheard.length > 0) receiver.data(unheard);
    // Nobody was told when it happened.
    if (this.#closed) queueMicrotask(() => receiver.closed());
    this.socket.resume();
  }

  /** The session went on elsewhere: what this server still says, such as why it ends us, is not for its client. */
  detach(): void {
    this.#belongTo(IDLE_RECEIVER);
  }

  /** An answer that is on its way is still taken by whoever asked. */
  #belongTo(owner: Receiver): void {
    if (this.#receiver === this.#owner) this.#receiver = owner;
    this.#owner = owner;
  }

  /** True while an ask() is under way: the connection cannot be attached to a session. */
  get isAsking(): boolean {
    return this.#asks > 0;
  }

  /** Resolves when no ask() is under way. */
  async untilQuiet(): Promise<void> {
    while (this.#asks > 0) await this.#lastAsk;
  }

  /**
   * Sends messages of ours that end in `points` Sync or Query messages, and collects the answer to each; one such
   * exchange after the other. `aside` gets what the server says of itself meanwhile (notifications, changed
   * parameters), as whole messages; without it whoever is attached. A connection that does not answer in time is cut,
   * but not a session's own: isAsking stays true until its answer has come, and nobody else may speak to it.
   */
  async ask(
    messages: Buffer,
    points: number,
    timeoutMs: number,
    aside?: (message: Buffer) => void,
  ): Promise<Answer[]> {
    if (this.#isLate) throw owesAnswer();
    this.#asks += 1;
    return await new Promise<Answer[]>((resolve, reject) => {
      this.#waiting.add(reject);
      const run = async () => {
        if (!this.#waiting.delete(reject)) {
          this.#asks -= 1;
          return;
        }
        const outcome = await this.#exchange(messages, points, timeoutMs, aside, reject).then(
          (answers) => () => resolve(answers),
          (error: unknown) => () => reject(error),
        );
        this.#asks -= 1;
        outcome();
      };
      this.#lastAsk = this.#lastAsk.then(run);
    });
  }

  /** To messages with one answer. A cancel request of the client's that was on its way already may hit them: then they are sent again. */
  async answerTo(
    messages: Buffer,
    timeoutMs: number,
    aside?: (message: Buffer) => void,
  ): Promise<Answer | undefined> {
    const [answer] = await this.ask(messages, 1, timeoutMs, aside);
    if (answer?.error?.code !== QUERY_CANCELED) return answer;
    return (await this.ask(messages, 1, timeoutMs, aside))[0];
  }

  /** The rows of one query. @throws with the server's words when it refuses */
  async rowsOf(query: Buffer, timeoutMs: number): Promise<readonly (readonly (string | null)[])[]> {
    const answer = await this.answerTo(query, timeoutMs);
    if (answer?.error !== undefined) throw new Error(answer.error.message);
    return (answer?.rows ?? []).map(readDataRow);
  }

  async #exchange(
    messages: Buffer,
    points: number,
    timeoutMs: number,
    aside: ((message: Buffer) => void) | undefined,
    tellLate: (error: Error) => void,
  ): Promise<Answer[]> {
    const tell = aside ?? ((message: Buffer) => this.#owner.data(message));
    const reader = new MessageReader(MAX_MESSAGE_BYTES);
    const answers: Answer[] = [];
    let current: { rows: Buffer[]; error: Answer['error'] } = { rows: [], error: undefined };
    const take = ({ type, body }: Message): void => {
      if (FIRST_WORDS.has(type)) this.uncertain = 0;
      if (type === B.readyForQuery && this.uncertain > 0) {
        this.uncertain -= 1;
        tell(frame('Z', body));
      } else if (type === B.readyForQuery) {
        answers.push(current);
        current = { rows: [], error: undefined };
      } else if (type === B.dataRow) current.rows.push(Buffer.from(body));
      else if (type === B.errorResponse) current.error = readError(body);
      else if (type === B.parameterStatus) {
        this.#noteParameter(body);
        // A session that comes here later is told of the parameters that it then does not know.
        if (this.#owner !== this.#keeper) tell(frame('S', body));
      } else if (type === B.notificationResponse) tell(frame('A', body));
    };
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          const late = new Error(`No answer within ${timeoutMs} ms`);
          if (this.#owner === this.#keeper) return reject(late);
          this.#isLate = true;
          tellLate(late);
          for (const refuse of this.#waiting) refuse(owesAnswer());
          this.#waiting.clear();
        }, timeoutMs);
        const settle = (error?: Error) => {
          clearTimeout(timer);
          if (error === undefined) resolve();
          else reject(error);
        };
        this.#receiver = {
          data: (chunk) => {
            try {
              for (const message of reader.push(chunk)) take(message);
              if (answers.length >= points) settle();
            } catch (error) {
              settle(error as Error);
            }
            return false;
          },
          drain: () => this.#owner.drain(),
          closed: () => settle(new Error('The server closed the connection')),
        };
        this.#giveUp = settle;
        if (this.#closed) settle(new Error('The server closed the connection'));
        // It may end in the middle of a message.
        for (const message of reader.push(this.#takeUnheard())) take(message);
        this.socket.resume();
        this.socket.write(messages);
      });
    } catch (error) {
      this.socket.destroy();
      throw error;
    } finally {
      this.#giveUp = undefined;
      this.#isLate = false;
      this.#receiver = this.#owner;
      if (this.#closed) this.#owner.closed();
    }
    if (reader.rest.length > 0) this.#owner.data(Buffer.from(reader.rest));
    return answers;
  }

  /** Asks the server to cancel what this session runs; best effort, as everywhere in PostgreSQL. */
  async cancel(timeoutMs: number): Promise<void> {
    const [attempt] = tlsAttempts(this.#address);
    if (attempt === undefined) return;
    const socket = await connectSocket(this.#address, attempt, AbortSignal.timeout(timeoutMs));
    await new Promise<void>((resolve) => {
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
      socket.resume();
      socket.setTimeout(timeoutMs, () => socket.destroy());
      socket.end(cancelRequest(this.pid, this.#secret));
    });
  }

  /** Says goodbye, so that the server logs no lost connection. */
  close(): void {
    this.#giveUp?.(new Error('The connection is not needed any more'));
    this.#belongTo(IDLE_RECEIVER);
    if (this.#closed) return;
    this.socket.resume();
    // Its client may have ended our side already.
    if (!this.socket.writableEnded) this.socket.end(terminate());
  }

  destroy(): void {
    this.#giveUp?.(new Error('The connection was cut'));
    this.#belongTo(IDLE_RECEIVER);
    this.socket.destroy();
  }

  #keep(chunk: Buffer): boolean {
    this.#unheard = Buffer.concat([this.#unheard, chunk]);
    // Better another connection than a session that misses something.
    if (this.#unheard.length > MAX_UNHEARD_BYTES) this.destroy();
    return true;
  }

  #takeUnheard(): Buffer {
    const unheard = this.#unheard;
    this.#unheard = Buffer.alloc(0);
    return unheard;
  }

  #noteParameter(body: Buffer): void {
    const [name, value] = readParameterStatus(body);
    this.parameters.set(name, value);
  }

  async #logIn(login: ServerLogin, signal: AbortSignal): Promise<void> {
    const reader = new MessageReader();
    const authentication: ServerAuthentication = { scram: undefined };
    let work = Promise.resolve();
    try {
      await new Promise<void>((resolve, reject) => {
        const abort = () => reject(new Error(`No log-in within ${login.timeoutMs} ms`));
        signal.addEventListener('abort', abort, { once: true });
        const take = async ({ type, body }: Message): Promise<void> => {
          if (type === B.authentication) {
            const answer = await answerAuthentication(body, authentication, login, this.socket);
            if (answer !== undefined) this.socket.write(answer);
          } else if (type === B.errorResponse) {
            throw new ServerRefusal(frame('E', body), readError(body));
          } else if (type === B.parameterStatus) this.#noteParameter(body);
          else if (type === B.noticeResponse) this.warnings.push(frame('N', body));
          else if (type === B.backendKeyData) {
            this.pid = body.readInt32BE(0);
            this.#secret = Buffer.from(body.subarray(4));
          } else if (type === B.readyForQuery) resolve();
        };
        this.#receiver = {
          data: (chunk) => {
            // Answers to SCRAM need a key derivation that may be asynchronous: keep the order.
            work = work
              .then(async () => {
                for (const message of reader.push(chunk)) await take(message);
              })
              .catch(reject);
            return false;
          },
          drain: () => undefined,
          closed: () => void work.then(() => reject(new Error('The server closed the connection'))),
        };
        this.socket.write(startupMessage(login.parameters));
        this.socket.resume();
      });
      this.#receiver = this.#keeper;
    } catch (error) {
      this.destroy();
      throw error;
    }
  }
}

const owesAnswer = (): Error => new Error('The server still owes the answer to a former question');

/** Nobody who would listen. */
export const IDLE_RECEIVER: Receiver = { data: () => true, drain: () => undefined, closed: () => undefined };
