/**
 * One client and its one server connection. Bytes pass through; only message headers and a few small bodies are
 * looked at. A hold takes effect between two requests outside of a transaction, never anywhere else.
 *
 * A client's message is passed on, kept back or translated by `#clientVisitor`; `SessionKnowledge` notes what it means
 * for a move, `Conversation` what is still to be answered. A server's message goes through `ServerMessages`.
 */

import { randomBytes } from 'node:crypto';
import { sleep } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import { Waiters } from '../base/waiters.ts';
import type { Side } from '../domain/names.ts';
import {
  backendKeyData,
  errorResponse,
  parameterStatus,
  readParameterStatus,
  readyForQuery,
  type ServerErrorFields,
} from '../wire/backend.ts';
import { Conversation } from '../wire/conversation.ts';
import {
  CAPTURE,
  FrameScanner,
  type FrameVisitor,
  STOP,
  type Verdict,
  WHOLE,
} from '../wire/frame-scanner.ts';
import { KeptBytes } from '../wire/kept-bytes.ts';
import { B, EXTENDED, F } from '../wire/message-type.ts';
import { exchangeInDefinition, exchangeInParse } from '../wire/type-oids.ts';
import { CancelledRequest } from './cancelled-request.ts';
import type { LoggedInClient } from './client-login.ts';
import { sayGoodbye } from './client-socket.ts';
import type { SessionSummary } from './control-types.ts';
import { FormerServer } from './former-server.ts';
import type { Holdings } from './holdings.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import type { RecentStatements } from './recent-statements.ts';
import { type SequenceQuestion, sequenceQuestion } from './sequence-question.ts';
import { IDLE_RECEIVER, QUERY_CANCELED, type Receiver, type ServerConnection } from './server-connection.ts';
import { ServerMessages } from './server-messages.ts';
import { SessionKnowledge } from './session-knowledge.ts';
import { canParseOn, holdingsOn, parseUnnamedOn } from './session-questions.ts';
import type { Standby } from './standby.ts';
import { readTypeNames, type TypeNames } from './type-names.ts';

/** What a session tells the proxy. */
export interface SessionEvents {
  closed(session: Session): void;
  /** Whether all that a held session has on its server is known, so that it could go on elsewhere without it. */
  mayLoseServer(session: Session): boolean;
  /** The client went without a word, and its server is at work. */
  leftRunning(server: ServerConnection): void;
}

/** A reset takes as long as a round trip to the client. */
const KNOCKS = 5;
const KNOCK_EVERY_MS = 20;

/** Does it begin a request that may use the unnamed statement as it is? Of a Parse the first byte tells whether it makes another. */
const mayNeedUnnamed = (type: number, firstByte: number | undefined): boolean =>
  EXTENDED.has(type) && !(type === F.parse && firstByte === 0);

export class Session {
  readonly id: number;
  readonly client: LoggedInClient;
  /** Given to the client as its cancel key. */
  readonly secret: Buffer;
  standby: Standby | undefined;
  /** Why the standby cannot take over; undefined when it can. */
  obstacle: string | undefined;
  /** The client's pid for cancel requests: that of its first server process. */
  publicPid = 0;

  readonly #events: SessionEvents;
  readonly #known: SessionKnowledge;
  readonly #conversation = new Conversation();
  readonly #heard: ServerMessages;
  #clientScanner = new FrameScanner();
  #serverScanner = new FrameScanner();
  #server: ServerConnection | undefined;
  /** Up to the first request that is no question for it. */
  #former: FormerServer | undefined;
  #isAskingFormer = false;
  /** The beginning of a message, or messages that are held. */
  readonly #clientRest = new KeptBytes();
  #serverRest = new KeptBytes();
  #isHeld = false;
  /** Exchanges of our own with the server that are under way: the client waits for them. */
  #asides = 0;
  #stopped = false;
  /** The beginning of a cancelled request was answered with an error, its end has not come yet. */
  #cancelled: CancelledRequest | undefined;
  #serverSlow = false;
  /** The server is gone, and the session waits to go on elsewhere. */
  #serverLost = false;
  /** The client has said goodbye: its server's end is its own. */
  #isLeaving = false;
  /** The client has said so, and not only ended its side. */
  #saidGoodbye = false;
  /** The client sends no more, and may still read. */
  #hasClientEnded: boolean;
  #closed = false;
  #waitingSinceMs: number | undefined;
  #busySinceMs = 0;
  readonly #idle = new Waiters();
  readonly #answered = new Waiters();
  /** Types as the client knows them: those of the server where it began. */
  clientTypes: TypeNames | undefined;
  originSide: Side | undefined;

  constructor(
    id: number,
    client: LoggedInClient,
    events: SessionEvents,
    recent: RecentStatements,
    worker = 0,
  ) {
    this.id = id;
    this.client = client;
    this.#events = events;
    this.#known = new SessionKnowledge(recent);
    this.#heard = new ServerMessages(this.#conversation, this.statements, () => this.#mayLoseServer);
    this.secret = randomBytes(4);
    this.secret[0] = worker;
    this.#clientRest.add(client.unread);
    const { socket } = client;
    socket.on('error', () => undefined);
    socket.on('close', () => this.#clientClosed());
    if (socket.destroyed) queueMicrotask(() => this.#clientClosed());
    this.#hasClientEnded = socket.readableEnded;
    socket.once('end', () => {
      this.#hasClientEnded = true;
      this.#followEnd();
    });
    if (this.#hasClientEnded) queueMicrotask(() => this.#followEnd());
  }

  get server(): ServerConnection | undefined {
    return this.#server;
  }

  /** Its prepared ones. */
  get statements(): PreparedStatements {
    return this.#known.statements;
  }

  /** Requests since the start. */
  get requests(): number {
    return this.#known.requests;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get isStarting(): boolean {
    return this.#server === undefined;
  }

  /** Between two requests, outside of a transaction, with no message half way in either direction. */
  get isIdle(): boolean {
    const isAnswered = this.#conversation.isIdle && this.#isBetweenMessages;
    return isAnswered && this.#cancelled === undefined && !this.#isAskingFormer;
  }

  /** Nothing is under way, though a transaction may be open. */
  get #isQuiet(): boolean {
    const { outstanding, unsynced } = this.#conversation;
    return outstanding === 0 && !unsynced && this.#isBetweenMessages;
  }

  get #isBetweenMessages(): boolean {
    if (!this.#clientScanner.atBoundary || !this.#serverScanner.atBoundary) return false;
    // A whole message is kept back, or the beginning of one has come.
    return this.#serverRest.length === 0 || this.#heard.isErrorKeptBack;
  }

  /** Since when a request is being kept waiting, by performance.now(). */
  get waitingSinceMs(): number | undefined {
    return this.#waitingSinceMs;
  }

  /** How long the current request or transaction has taken so far, in ms; 0 between two. */
  get busyMs(): number {
    return this.#conversation.isIdle ? 0 : performance.now() - this.#busySinceMs;
  }

  /** Begins to serve: greets the client as a server would. */
  begin(server: ServerConnection): void {
    this.#server = server;
    this.publicPid = server.pid;
    this.originSide = server.side;
    const greeting: Buffer[] = [];
    for (const [name, value] of server.parameters) {
      this.#heard.announced.set(name, value);
      greeting.push(parameterStatus(name, value));
    }
    greeting.push(...server.warnings, backendKeyData(server.pid, this.secret), readyForQuery());
    this.client.socket.write(Buffer.concat(greeting));
    const { socket } = this.client;
    socket.on('data', (chunk: Buffer) => this.#fromClient(chunk));
    socket.on('drain', () => this.#server?.socket.resume());
    server.attach(this.#receiverFor(server));
    this.#readClient();
  }

  /** From now on nothing new is passed on once the session is idle. */
  hold(): void {
    this.#isHeld = true;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Its client sends no more. */
  get hasClientEnded(): boolean {
    return this.#hasClientEnded;
  }

  /** A cancel request of the client's, which is for what the server does for it, and not for what we ask. */
  async cancel(timeoutMs: number): Promise<void> {
    if (this.#cancelWaiting() || this.#asides > 0) return;
    await this.#server?.cancel(timeoutMs);
  }

  /** For a request that waits here: answered as the server would, and never sent to it. */
  #cancelWaiting(): boolean {
    const isWaiting = this.#stopped && this.isIdle && this.#clientRest.length > 0;
    if (!isWaiting) return false;
    this.client.socket.write(
      errorResponse({
        severity: 'ERROR',
        code: QUERY_CANCELED,
        message: 'canceling statement due to user request',
      }),
    );
    this.#cancelled = new CancelledRequest();
    this.#waitingSinceMs = undefined;
    this.#readClient();
    return true;
  }

  #discard(bytes: Buffer, cancelled: CancelledRequest): Buffer {
    const behind = cancelled.discard(bytes, this.#clientScanner);
    if (cancelled.isOver) {
      this.#cancelled = undefined;
      this.client.socket.write(readyForQuery());
      if (this.isIdle) this.#idle.wake();
    }
    return behind;
  }

  /** Lets the client go on; returns for how long a request was kept waiting, in ms. */
  release(): number | undefined {
    this.#isHeld = false;
    const since = this.#waitingSinceMs;
    this.#waitingSinceMs = undefined;
    if (this.#serverRest.length > 0) this.#passToClient();
    if (this.#serverLost) this.#serverClosed();
    else this.#readClient();
    return since === undefined ? undefined : performance.now() - since;
  }

  /** Resolves when the session is idle or gone. Lasting only when it is held. */
  async untilIdle(signal?: AbortSignal): Promise<void> {
    if (!this.isIdle && !this.#closed) await this.#idle.wait(signal);
  }

  /** Resolves when the session has been answered, with no transaction left open, to a request sent after this call; or is gone. */
  async untilNextRequest(): Promise<void> {
    if (!this.#closed) await this.#answered.wait();
  }

  /**
   * A process that was killed ends its side like one that has only no more to ask; but to anything that is sent to it its system
   * answers with a reset, and the next write fails. A parameter's value, said again, means nothing to a client that still reads.
   */
  async knock(): Promise<void> {
    const [first] = this.#heard.announced;
    for (let times = 0; times < KNOCKS && this.#isWorkingForEnded && first !== undefined; times++) {
      if (this.#serverScanner.atBoundary) this.client.socket.write(parameterStatus(...first));
      await sleep(KNOCK_EVERY_MS);
    }
  }

  get #isWorkingForEnded(): boolean {
    return this.#hasClientEnded && !this.#closed && !this.isStarting && !this.isIdle && !this.#stopped;
  }

  /** What the session holds on its server. Asks again only when something that matters has passed since the last time. Needs an idle session. */
  async holdings(timeoutMs: number): Promise<Holdings> {
    return await this.#aside(async (server) => {
      if (this.knownHoldings !== undefined) return this.knownHoldings;
      const { names } = this.#known.customSettings;
      server.uncertain = this.#conversation.uncertain;
      const holdings = await holdingsOn(server, names, timeoutMs, (message) => this.#passOn(message));
      this.#conversation.isCertain();
      const unknownStatements = this.statements.keepOnly(holdings.parsed);
      const found = { ...holdings, unknownStatements };
      // It may have moved meanwhile: then this is what the former server knew.
      if (server === this.#server) this.#known.holdings = found;
      return found;
    });
  }

  /** A word of ours with the server, while the client's next request is kept back. Needs an idle session. */
  async #aside<T>(work: (server: ServerConnection) => Promise<T>): Promise<T> {
    const server = this.#server;
    if (server === undefined || this.#closed) throw new Error('The session has ended');
    if (!this.#isQuiet) throw new Error('The session is busy: our words would mix with its own');
    this.#asides += 1;
    try {
      return await work(server);
    } finally {
      // Given up is not answered: until then what the server says is not for the client.
      if (server.isAsking) void server.untilQuiet().then(() => this.#asideEnded(server));
      else this.#asideEnded(server);
    }
  }

  #asideEnded(server: ServerConnection): void {
    // It has moved meanwhile: nobody waits for that one any more.
    if (server !== this.#server) return;
    this.#asides -= 1;
    if (this.#asides === 0 && !this.#isHeld) this.release();
  }

  /** The last answer of holdings(); undefined when something has passed since that may have changed it, or is still to come. */
  get knownHoldings(): Holdings | undefined {
    return this.#conversation.uncertain === 0 ? this.#known.holdings : undefined;
  }

  /** Settings with a dot that it may have without having said so. */
  mayHaveSet(names: Iterable<string>): void {
    if (this.#known.customSettings.mayBeSet(names)) this.#known.holdings = undefined;
  }

  /** The types of the session's server, as names. Needs an idle session. */
  async typeNames(): Promise<TypeNames> {
    return await this.#aside(async (server) => {
      // It is a Query, at which a server forgets the unnamed statement.
      this.#known.unnamedForgotten();
      return await readTypeNames(server);
    });
  }

  /** Can the session's own server still parse a statement? Needs an idle session. */
  async canParse(definition: Buffer): Promise<boolean> {
    return await this.#aside((server) => canParseOn(server, definition));
  }

  /** Goes on with its standby; the caller closes the old connection. Needs a held, idle session. */
  moveTo(standby: Standby): ServerConnection | undefined {
    const old = this.#server;
    const next = standby.connection;
    // With words of its own kept back it is on its way out.
    const isAtBoundary = this.#serverRest.length === 0;
    this.#heard.translation = standby.translation;
    this.#server = next;
    this.#serverScanner = new FrameScanner();
    this.#serverRest = new KeptBytes();
    this.#heard.isErrorKeptBack = false;
    this.#serverSlow = false;
    this.#serverLost = false;
    this.#asides = 0;
    this.standby = undefined;
    this.#known.holdings = undefined;
    this.#known.unnamedForgotten();
    for (const [name, value] of next.parameters) this.#announce(name, value);
    old?.detach();
    this.#former = undefined;
    if (old !== undefined && isAtBoundary) this.#remember(old);
    next.attach(this.#receiverFor(next));
    return old;
  }

  /** For as long as it is open. */
  #remember(old: ServerConnection): void {
    const former = new FormerServer(old);
    this.#former = former;
    void old.untilClosed().then(() => {
      if (this.#former === former) this.#former = undefined;
    });
  }

  /** Ends the session with an error the client will understand. */
  end(error: Omit<ServerErrorFields, 'severity'>): void {
    if (this.#closed) return;
    // Within a message it would be taken for a part of that.
    const words = this.#serverScanner.atBoundary ? [errorResponse({ severity: 'FATAL', ...error })] : [];
    sayGoodbye(this.client.socket, ...words);
    this.#clientClosed();
  }

  summary(): SessionSummary {
    const { client } = this;
    return {
      id: this.id,
      user: client.user,
      database: client.database,
      applicationName: this.#heard.announced.get('application_name') ?? '',
      clientAddress: client.socket.remoteAddress ?? '',
      backendPid: this.#server?.pid,
      state: this.state,
      obstacle: this.obstacle,
      query: this.#known.lastQuery === '' ? undefined : this.#known.lastQuery,
    };
  }

  get state(): SessionSummary['state'] {
    if (this.isStarting) return 'starting';
    if (this.isIdle) return this.#isHeld ? 'held' : 'idle';
    if (this.#conversation.copyingIn) return 'copying';
    return this.#conversation.outstanding === 0 && !this.#conversation.unsynced ? 'in-transaction' : 'busy';
  }

  // --- from the client

  #fromClient(chunk: Buffer): void {
    this.#clientRest.add(chunk);
    this.#passToServer();
  }

  /** As much of what has come as may go on now. */
  #passToServer(): void {
    const server = this.#server;
    const { length } = this.#clientRest;
    if (server === undefined || length === 0 || length < this.#clientScanner.wanted) return;
    this.#stopped = false;
    if (this.#former !== undefined && this.#goesToFormer(server, this.#former)) return;
    let bytes = this.#clientRest.take();
    let end: number;
    try {
      if (this.#cancelled !== undefined) bytes = this.#discard(bytes, this.#cancelled);
      end = this.#cancelled !== undefined ? 0 : this.#clientScanner.scan(bytes, 0, this.#clientVisitor);
    } catch (error) {
      this.end({ code: '08P01', message: messageOf(error) });
      return;
    }
    if (end > 0 && !server.socket.write(end === bytes.length ? bytes : bytes.subarray(0, end))) {
      this.#serverSlow = true;
      this.client.socket.pause();
    }
    if (end < bytes.length) this.#clientRest.add(bytes.subarray(end));
    if (this.#stopped) {
      this.client.socket.pause();
      this.#noteWait();
    }
  }

  /** Or may, when more of it has come. Whatever else the client asks for ends the time in which its former server is asked. */
  #goesToFormer(server: ServerConnection, former: FormerServer): boolean {
    if (this.#isHeld || this.#asides > 0 || this.#cancelled !== undefined) return false;
    const bytes = this.#clientRest.take();
    this.#clientRest.add(bytes);
    const question = former.isOpen ? sequenceQuestion(bytes, this.statements) : 'another';
    if (question === 'another') {
      this.#former = undefined;
      return false;
    }
    if (question === 'unfinished') return true;
    // Half a message of the new server's own has come: the answer must not get into it.
    if (!this.#isQuiet) this.#stopped = true;
    else void this.#askFormer(server, former, question, bytes.subarray(0, question.bytes));
    return true;
  }

  async #askFormer(
    server: ServerConnection,
    former: FormerServer,
    question: SequenceQuestion,
    request: Buffer,
  ): Promise<void> {
    this.#asides += 1;
    this.#isAskingFormer = true;
    server.socket.pause();
    const answer = await former.ask(request);
    server.socket.resume();
    this.#isAskingFormer = false;
    // Then the new server says what any does that was never asked for a value.
    if (answer === undefined) this.#former = undefined;
    else {
      this.#clientRest.add(this.#clientRest.take().subarray(request.length));
      this.#known.answeredElsewhere(question.parsed);
      this.client.socket.write(answer);
    }
    this.#asideEnded(server);
    if (this.isIdle) this.#idle.wake();
  }

  readonly #clientVisitor: FrameVisitor = {
    header: (type, bodyBytes, firstByte): Verdict => {
      if ((this.#isHeld || this.#asides > 0) && this.#conversation.mayHoldBefore(type)) {
        this.#stopped = true;
        return STOP;
      }
      if (
        this.#known.unnamedIsMissing &&
        mayNeedUnnamed(type, firstByte) &&
        // One that was too large to be kept may have taken its place.
        this.statements.unnamed !== undefined &&
        !this.#conversation.unsynced &&
        !this.#conversation.copyingIn
      ) {
        this.#stopped = true;
        // What is still to be answered comes first; then this message is looked at again.
        if (this.#isQuiet) void this.#restoreUnnamed();
        return STOP;
      }
      if (this.#conversation.isIdle) this.#busySinceMs = performance.now();
      this.#conversation.sent(type);
      if (type === F.terminate) {
        this.#isLeaving = true;
        this.#saidGoodbye = true;
      }
      const verdict = this.#known.sent(type, bodyBytes);
      const isTranslated = type === F.parse && this.#heard.translation !== undefined;
      return isTranslated && verdict === CAPTURE ? WHOLE : verdict;
    },
    body: (type, bytes, start, end) => {
      this.#known.read(type, bytes, start, end);
      if (type === F.parse && this.#heard.translation !== undefined)
        exchangeInParse(bytes, start, end, this.#heard.translation.toServer);
    },
  };

  /** Before the client uses an unnamed statement that it parsed on the former server. */
  async #restoreUnnamed(): Promise<void> {
    const { unnamed } = this.statements;
    const { translation } = this.#heard;
    this.#known.unnamedIsMissing = false;
    if (unnamed === undefined) return;
    const definition =
      translation === undefined ? unnamed : exchangeInDefinition(unnamed, translation.toServer);
    await this.#aside((server) => parseUnnamedOn(server, definition)).catch(() => undefined);
  }

  #noteWait(): void {
    if (this.isIdle && this.#clientRest.length > 0 && this.#stopped)
      this.#waitingSinceMs ??= performance.now();
  }

  /** Takes what was kept back first, and then reads on. */
  #readClient(): void {
    // Before it is served nobody listens: what it says would be lost.
    if (this.isStarting) return;
    this.#passToServer();
    if (!this.#stopped && !this.#serverSlow) this.client.socket.resume();
    this.#followEnd();
  }

  // --- from the server

  #receiverFor(server: ServerConnection): Receiver {
    return {
      data: (chunk) => this.#fromServer(chunk),
      drain: () => {
        this.#serverSlow = false;
        if (!this.#stopped) this.client.socket.resume();
      },
      closed: () => {
        if (server === this.#server) this.#serverClosed();
      },
    };
  }

  /** @returns whether the chunk is with the client's system already: neither kept here nor by the socket */
  #fromServer(chunk: Buffer): boolean {
    this.#serverRest.add(chunk);
    if (this.#serverRest.length >= this.#serverScanner.wanted) this.#passToClient();
    return this.#serverRest.length === 0 && this.client.socket.writableLength === 0;
  }

  #passToClient(): void {
    const bytes = this.#serverRest.take();
    this.#heard.isErrorKeptBack = false;
    let end: number;
    try {
      end = this.#serverScanner.scan(bytes, 0, this.#heard);
    } catch {
      this.#server?.destroy();
      this.end({ code: '08P01', message: 'The server broke the protocol' });
      return;
    }
    if (end < bytes.length) this.#serverRest.add(bytes.subarray(end));
    if (end > 0 && !this.client.socket.write(end === bytes.length ? bytes : bytes.subarray(0, end))) {
      this.#server?.socket.pause();
    }
    if (this.#heard.tookReady()) this.#afterReady();
    else this.#afterOtherWords();
  }

  #afterReady(): void {
    this.#followEnd();
    if (this.#stopped) {
      if (this.#isHeld && this.isIdle) this.#noteWait();
      else this.#readClient();
    }
    if (this.#conversation.isIdle) this.#answered.wake();
    if (this.isIdle) this.#idle.wake();
  }

  /** A notification, say, that came in two pieces: the session was idle but for the second. */
  #afterOtherWords(): void {
    this.#followEnd();
    if (this.#stopped) {
      const { unsynced, copyingIn } = this.#conversation;
      // A COPY has begun: what was stopped before that is what the server waits for.
      if (unsynced || copyingIn) this.#readClient();
      else if (this.#isHeld) this.#noteWait();
      else if ((this.#known.unnamedIsMissing || this.#former !== undefined) && this.#isQuiet)
        this.#readClient();
    }
    if (this.isIdle) this.#idle.wake();
  }

  /** Whole messages that the server sent of its own accord while it was answering us. */
  #passOn(message: Buffer): void {
    if (message[0] === B.parameterStatus) {
      const [name, value] = readParameterStatus(message.subarray(5));
      this.#announce(name, value);
    } else this.client.socket.write(message);
  }

  #announce(name: string, value: string): void {
    if (this.#heard.announced.get(name) === value) return;
    this.#heard.announced.set(name, value);
    this.client.socket.write(parameterStatus(name, value));
  }

  // --- ends

  /** A server answers what came before the client's end, and then it goes; so do we, and it is never moved. */
  #followEnd(): void {
    if (!this.#hasClientEnded || this.#closed || this.#stopped) return;
    const server = this.#server;
    if (server === undefined) {
      if (this.#clientRest.length === 0) this.#leave();
      return;
    }
    this.#isLeaving = true;
    if (this.isIdle) this.#leave();
    else server.socket.end();
  }

  #leave(): void {
    sayGoodbye(this.client.socket);
    this.#clientClosed();
  }

  #clientClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    const server = this.#server;
    if (server !== undefined) {
      if (this.isIdle) server.close();
      else {
        // As if the client itself had gone: what was sent is worked off, then the server notices.
        server.attach(IDLE_RECEIVER);
        server.socket.end();
        if (!this.#saidGoodbye && this.client.socket.destroyed) this.#events.leftRunning(server);
      }
    }
    this.standby?.close();
    this.#answered.wake();
    this.#idle.wake();
    this.#events.closed(this);
  }

  /** Held, and in need of nothing that only its server knows. */
  get #mayLoseServer(): boolean {
    return this.#isHeld && this.isIdle && !this.#isLeaving && this.#events.mayLoseServer(this);
  }

  #serverClosed(): void {
    if (this.#closed) return;
    this.#serverLost = this.#mayLoseServer;
    if (!this.#serverLost) this.#leave();
  }
}
