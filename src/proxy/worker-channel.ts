/** Questions and answers between the proxy and its workers, in both directions, over the pipe that Node opens to a child. */

import type { Socket } from 'node:net';
import { messageOf } from '../base/message-of.ts';
import { ControlRefusal } from './control-refusal.ts';

/** A ChildProcess, or `process` in the child itself. */
export interface WorkerPort {
  send?(message: object, handle?: Socket, options?: object, sent?: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown, handle?: unknown) => void): unknown;
}

/** The other process has ended, or is about to. */
export class WorkerGoneError extends Error {
  constructor() {
    super('The worker has ended');
    this.name = 'WorkerGoneError';
  }
}

type Message =
  | { readonly call: string; readonly id?: number; readonly body?: unknown }
  | { readonly answerTo: number; readonly value?: unknown; readonly error?: WiredError };

interface WiredError {
  readonly message: string;
  readonly status?: ControlRefusal['status'];
  readonly code?: string;
  readonly hint?: string | undefined;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export type Answerer = (call: string, body: unknown, socket: Socket | undefined) => unknown;

export class WorkerChannel {
  readonly #port: WorkerPort;
  readonly #answer: Answerer;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #ended = false;

  constructor(port: WorkerPort, answer: Answerer) {
    this.#port = port;
    this.#answer = answer;
    port.on('message', (message, handle) => void this.#received(message as Message, handle));
  }

  /**
   * A socket goes along as a copy: it stays ours to close, or to give to another.
   * @throws {WorkerGoneError}; {ControlRefusal} as the other process refused; Error with its message otherwise
   */
  call<Reply>(call: string, body?: unknown, socket?: Socket): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (this.#ended) {
        reject(new WorkerGoneError());
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject });
      this.#send({ call, id, body }, socket, (error) => {
        if (error !== null && this.#pending.delete(id)) reject(new WorkerGoneError());
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
    for (const { reject } of this.#pending.values()) reject(new WorkerGoneError());
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
      else waiting?.reject(unwired(message.error));
      return;
    }
    const { call, id, body } = message;
    const reply = (answer: object) =>
      id === undefined ? undefined : this.#send({ answerTo: id, ...answer }, undefined, () => undefined);
    try {
      reply({ value: await this.#answer(call, body, handle as Socket | undefined) });
    } catch (error) {
      reply({ error: wired(error) });
    }
  }
}

const wired = (error: unknown): WiredError =>
  error instanceof ControlRefusal
    ? { message: error.message, status: error.status, code: error.code, hint: error.hint }
    : { message: messageOf(error) };

const unwired = ({ message, status, code, hint }: WiredError): Error =>
  status === undefined || code === undefined
    ? new Error(message)
    : new ControlRefusal(status, code, message, hint);
