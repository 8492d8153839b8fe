/** Whole messages from a client that is still logging in. After that the session takes the socket over. */

import type { Socket } from 'node:net';
import { type Message, MessageReader } from '../wire/message-reader.ts';
import { ProtocolError } from '../wire/protocol-error.ts';

/** PostgreSQL's own limit for a start-up packet. */
const MAX_STARTUP_BYTES = 10_000;
const MAX_LOGIN_MESSAGE_BYTES = 65_536;

/** How long a client that does not close may take for our last bytes. */
const GOODBYE_MS = 5_000;

/** The last bytes for a client. What it still sends is read away: with that unread its socket would never close. */
export function sayGoodbye(socket: Socket, bytes: Buffer = Buffer.alloc(0)): void {
  socket.removeAllListeners('data');
  socket.end(bytes);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

export class ClientGoneError extends Error {
  constructor() {
    super('The client closed the connection');
    this.name = 'ClientGoneError';
  }
}

export class ClientSocket {
  readonly socket: Socket;
  #buffer: Buffer;
  #wake: (() => void) | undefined;
  #ended = false;
  readonly #onData = (chunk: Buffer): void => {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    // A client has nothing to say at length before it is let in.
    if (this.#buffer.length > 2 * MAX_LOGIN_MESSAGE_BYTES) this.socket.pause();
    this.#wake?.();
  };
  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  constructor(socket: Socket, alreadyRead: Buffer = Buffer.alloc(0)) {
    this.socket = socket;
    this.#buffer = alreadyRead;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    socket.on('error', this.#onEnd);
  }

  /** True when bytes wait that no message has taken yet. */
  get hasMore(): boolean {
    return this.#buffer.length > 0;
  }

  /** The next byte, left in place. */
  async peek(): Promise<number> {
    await this.#need(1);
    return this.#buffer[0] as number;
  }

  /** Body of the untyped first message: code and parameters. */
  async firstMessage(): Promise<Buffer> {
    await this.#need(4);
    const length = this.#buffer.readInt32BE(0);
    if (length < 8 || length > MAX_STARTUP_BYTES)
      throw new ProtocolError('Invalid length of start-up packet');
    await this.#need(length);
    const body = this.#buffer.subarray(4, length);
    this.#buffer = this.#buffer.subarray(length);
    return body;
  }

  async message(): Promise<Message> {
    for (;;) {
      const reader = new MessageReader(MAX_LOGIN_MESSAGE_BYTES);
      const [first, ...more] = reader.push(this.#buffer);
      if (first !== undefined) {
        this.#buffer = this.#buffer.subarray(5 + first.body.length);
        if (more.length > 0) this.socket.pause();
        return first;
      }
      await this.#need(this.#buffer.length + 1);
    }
  }

  /** Gives the socket away, paused, with what was read and not used. */
  release(): Buffer {
    this.socket.pause();
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    this.socket.off('close', this.#onEnd);
    this.socket.off('error', this.#onEnd);
    return this.#buffer;
  }

  async #need(bytes: number): Promise<void> {
    while (this.#buffer.length < bytes) {
      if (this.#ended || this.socket.destroyed) throw new ClientGoneError();
      this.socket.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
