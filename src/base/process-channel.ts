/** Questions and answers between a process of ours and a child of it, in both directions, over the pipe that Node opens to a child. */

import type { Socket } from 'node:net';
import { messageOf } from './message-of.ts';

/** A ChildProcess, or `process` in the child itself. */
export interface ProcessPort {
  send?(message: object, handle?: Socket, options?: object, sent?: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown, handle?: unknown) => void): unknown;
}

/** The other process has ended, or is about to. */
export class ProcessGoneError extends Error {
  constructor() {
    super('The other process has ended');
    this.name = 'ProcessGoneError';
  }
}

/** How errors of one kind cross the pipe; all others arrive as an Error with their message. */
export interface ErrorKind {
  /** What tells it, as JSON; undefined: it is of another kind. */
  readonly pack: (error: unknown) => object | undefined;
  readonly unpack: (message: string, packed: object) => Error;
}

type Message =
  | { readonly call: string; readonly id?: number; readonly body?: unknown }
  | { readonly answerTo: number; readonly value?: unknown; readonly error?: WiredError };

interface WiredError {
  readonly message: string;
  readonly packed?: object | undefined;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export type Answerer = (call: string, body: unknown, socket: Socket | undefined) => unknown;

export class ProcessChannel {
  readonly #port: ProcessPort;
  readonly #answer: Answerer;
  readonly #kind: ErrorKind | undefined;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #ended = false;

  constructor(port: ProcessPort, answer: Answerer, kind?: ErrorKind) {
    this.#port = port;
    this.#answer = answer;
    this.#kind = kind;
    port.on('message', (message, handle) => void this.#received(message as Message, handle));
  }

  /**
   * A socket goes along as a copy: it stays ours to close, or to give to another.
   * @throws {ProcessGoneError}; what the other process threw, of the kind that is known here; Error with its message otherwise
   */
  call<Reply>(call: string, body?: unknown, socket?: Socket): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (this.#ended) {
        reject(new ProcessGoneError());
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject });
      this.#send({ call, id, body }, socket, (error) => {
        if (error !== null && this.#pending.delete(id)) reject(new ProcessGoneError());
      });
    });
  }

  /** Nobody answers. */
  tell(call: string): void {
    if (!this.#ended) this.#send({ call }, undefined, () => undefined);
  }

  /** The other process is gone: nobody waits for it any more. */
  end(): void {
    this.#ended = true;
    for (const { reject } of this.#pending.values()) reject(new ProcessGoneError());
    this.#pending.clear();
  }

  #send(message: Message, socket: Socket | undefined, sent: (error: Error | null) => void): void {
    try {
      if (socket === undefined) this.#port.send?.(message, undefined, undefined, sent);
      else this.#port.send?.(message, socket, { keepOpen: true }, sent);
    } catch (error) {
      sent(error as Error);
    }
  }

  async #received(message: Message, handle: unknown): Promise<void> {
    if ('answerTo' in message) {
      const waiting = this.#pending.get(message.answerTo);
      this.#pending.delete(message.answerTo);
      if (message.error === undefined) waiting?.resolve(message.value);
      else waiting?.reject(this.#unwired(message.error));
      return;
    }
    const { call, id, body } = message;
    const reply = (answer: object) =>
      id === undefined ? undefined : this.#send({ answerTo: id, ...answer }, undefined, () => undefined);
    try {
      reply({ value: await this.#answer(call, body, handle as Socket | undefined) });
    } catch (error) {
      reply({ error: { message: messageOf(error), packed: this.#kind?.pack(error) } });
    }
  }

  #unwired({ message, packed }: WiredError): Error {
    return packed === undefined || this.#kind === undefined
      ? new Error(message)
      : this.#kind.unpack(message, packed);
  }
}
