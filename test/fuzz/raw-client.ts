/** A client that sends any bytes, and keeps what comes back message by message. */

import net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DeadlineError } from '../../src/base/async.ts';
import { Waiters } from '../../src/base/waiters.ts';
import { answerAuthentication, type ServerAuthentication } from '../../src/proxy/server-login.ts';
import { cancelRequest, startupMessage, terminate } from '../../src/wire/frontend.ts';
import { type Message, MessageReader } from '../../src/wire/message-reader.ts';
import { B } from '../../src/wire/message-type.ts';

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export class RawClient {
  /** Since the connection was opened, the log-in's own left out. */
  readonly received: Message[] = [];
  pid = 0;
  isClosed = false;
  #secret: Buffer = Buffer.alloc(0);
  readonly #login: Login;
  readonly #socket: net.Socket;
  readonly #news = new Waiters();

  private constructor(socket: net.Socket, login: Login) {
    this.#socket = socket;
    this.#login = login;
  }

  static async connect(login: Login): Promise<RawClient> {
    const socket = net.connect(login.port, login.host);
    socket.setNoDelay(true);
    const client = new RawClient(socket, login);
    await client.#logIn();
    return client;
  }

  async #logIn(): Promise<void> {
    const { user, password, database } = this.#login;
    const parameters = new Map([
      ['user', user],
      ['database', database],
    ]);
    const state: ServerAuthentication = { scram: undefined };
    const reader = new MessageReader();
    const take = async (message: Message): Promise<void> => {
      if (message.type === B.authentication) {
        const login = { parameters, credential: { password } };
        const answer = await answerAuthentication(message.body, state, login, this.#socket);
        if (answer !== undefined) this.#socket.write(answer);
      } else if (message.type === B.backendKeyData) {
        this.pid = message.body.readInt32BE(0);
        this.#secret = Buffer.from(message.body.subarray(4));
      } else {
        this.received.push({ type: message.type, body: Buffer.from(message.body) });
        this.#news.wake();
      }
    };
    let work = Promise.resolve();
    this.#socket.on('data', (chunk) => {
      work = work.then(async () => {
        for (const message of reader.push(chunk)) await take(message);
      });
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      void work.finally(() => {
        this.isClosed = true;
        this.#news.wake();
      });
    });
    this.#socket.write(startupMessage(parameters));
    await this.until(
      'the log-in',
      () => this.isClosed || this.received.at(-1)?.type === B.readyForQuery,
      20_000,
    );
  }

  /** Resolves when the bytes are with the system. */
  async send(bytes: Buffer): Promise<void> {
    if (this.isClosed || bytes.length === 0) return;
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
    await nextTurn();
  }

  /** Resolves when the request has been taken. `isOurs`: with the session's own key. */
  async cancel(isOurs: boolean): Promise<void> {
    const secret = Buffer.from(this.#secret);
    if (!isOurs) secret[secret.length - 1] = (secret.at(-1) ?? 0) ^ 1;
    const socket = net.connect(this.#login.port, this.#login.host);
    socket.on('error', () => undefined);
    socket.resume();
    socket.end(cancelRequest(this.pid, secret));
    await new Promise((resolve) => socket.once('close', resolve));
  }

  /** @throws {DeadlineError} */
  async until(what: string, isSo: () => boolean, timeoutMs: number): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#news.wake();
    }, timeoutMs);
    try {
      while (!isSo()) {
        if (isLate) throw new DeadlineError(what, timeoutMs);
        await this.#news.wait();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async end(): Promise<void> {
    if (this.isClosed) return;
    this.#socket.end(terminate());
    await this.until('the end of the connection', () => this.isClosed, 20_000).catch(() =>
      this.#socket.destroy(),
    );
  }
}
