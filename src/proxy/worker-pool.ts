/**
 * Several processes that serve one port: the parent accepts and hands each connection to the worker that has the
 * fewest, and passes commands on to all of them, who all do a thing or none.
 */

import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { sleep, withDeadline } from '../base/async.ts';
import { ProcessChannel, ProcessGoneError } from '../base/process-channel.ts';
import { ControlRefusal, REFUSALS } from './control-refusal.ts';
import type { Controlled } from './control-server.ts';
import type * as Api from './control-types.ts';
import { mergePaused, mergePrepared, mergeResumed, mergeStates } from './merge-replies.ts';
import { renderMetrics } from './metrics.ts';

export interface WorkerPoolOptions {
  /** At most 256: the index is a byte of every cancel key. */
  readonly count: number;
  readonly fork: () => ChildProcess;
  /** What the worker of this index is told at its start, as JSON. */
  readonly startMessage: (index: number) => unknown;
}

interface Worker {
  readonly index: number;
  readonly child: ChildProcess;
  readonly channel: ProcessChannel;
  sockets: number;
}

interface Held {
  readonly pause: Api.PauseRequest;
  endsAtMs: number;
  committing: Api.CommittingRequest | undefined;
}

const REPLACE_AFTER_MS = 200;
/** A new worker must have been told of the commit point by the time its hold ends. */
const SHORTEST_LEASE_MS = 1_000;
const CLOSE_TIMEOUT_MS = 2_000;
/** Node tells the end of the pipe by no event while a client is on its way through it. */
const PIPE_POLL_MS = 2;

export class WorkerPool implements Controlled {
  readonly #options: WorkerPoolOptions;
  /** Those that serve; a new one joins when it is where the others are. */
  readonly #workers = new Set<Worker>();
  readonly #children = new Set<ChildProcess>();
  #waiting: Socket[] = [];
  /** What a worker that is only starting has missed. */
  readonly #holds = new Map<string, Held>();
  /** Another number after every command that changes where or whether traffic flows. */
  #version = 0;
  #isClosed = false;
  /** Set when the port is known. */
  listen = '';

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** @throws what the first worker that cannot start says */
  async start(): Promise<void> {
    const indexes = Array.from({ length: this.#options.count }, (_, index) => index);
    await Promise.all(indexes.map((index) => this.#startWorker(index)));
  }

  accept(socket: Socket): void {
    const [idlest] = [...this.#workers].sort((left, right) => left.sockets - right.sockets);
    if (idlest === undefined) {
      this.#waiting.push(socket);
      return;
    }
    idlest.sockets += 1;
    void this.#give(socket, idlest);
  }

  /** A worker says that it has a client before it reads a byte of it: what one that dies has not taken, another serves. */
  async #give(socket: Socket, worker: Worker): Promise<void> {
    try {
      await worker.channel.call('client', undefined, socket);
      socket.destroy();
    } catch (error) {
      if (!(error instanceof ProcessGoneError)) {
        worker.sockets -= 1;
        socket.destroy();
        return;
      }
      void this.#gone(worker);
      if (this.#isClosed) socket.destroy();
      else this.accept(socket);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#waiting) socket.destroy();
    const ended = [...this.#children].map(
      (child) =>
        new Promise<void>((resolve) => {
          child.once('exit', () => resolve());
          child.disconnect();
        }),
    );
    await withDeadline('the end of the workers', CLOSE_TIMEOUT_MS, Promise.all(ended)).catch(() => undefined);
    for (const child of this.#children) child.kill('SIGKILL');
  }

  // --- commands

  async prepare(request: Api.PrepareRequest): Promise<Api.PrepareReply> {
    return mergePrepared(await this.#all<Api.PrepareReply>('prepare', request));
  }

  /** When one worker cannot be paused the others are let go before the error is thrown. */
  async pause(request: Api.PauseRequest): Promise<Api.PauseReply> {
    this.#version += 1;
    const endsAtMs = performance.now() + request.leaseMs;
    const committing = this.#holds.get(request.owner)?.committing;
    this.#holds.set(request.owner, { pause: request, endsAtMs, committing });
    try {
      return mergePaused(await this.#all<Api.PauseReply>('pause', request));
    } catch (error) {
      const { activeSide: side, epoch } = await this.state();
      if (side !== undefined)
        await this.resume({ owner: request.owner, side, epoch, isGivenUp: true }).catch(() => undefined);
      throw error;
    }
  }

  async renew(request: Api.RenewRequest): Promise<void> {
    const held = this.#holds.get(request.owner);
    if (held !== undefined) held.endsAtMs = performance.now() + request.leaseMs;
    await this.#all('renew', request);
  }

  async committing(request: Api.CommittingRequest): Promise<void> {
    this.#version += 1;
    const held = this.#holds.get(request.owner);
    if (held !== undefined) held.committing = request;
    await this.#all('committing', request);
  }

  async resume(request: Api.ResumeRequest): Promise<Api.ResumeReply> {
    this.#version += 1;
    this.#holds.delete(request.owner);
    return mergeResumed(await this.#all<Api.ResumeReply>('resume', request));
  }

  async state(): Promise<Api.ProxyState> {
    const states = await this.#all<Api.ProxyState>('state');
    return mergeStates(states, { pid: process.pid, listen: this.listen });
  }

  /** All were started with the same servers. */
  async identity(): Promise<Api.ProxyIdentity | undefined> {
    const [first] = await this.#all<Api.ProxyIdentity | undefined>('identity');
    return first;
  }

  async sessions(): Promise<Api.SessionSummary[]> {
    return (await this.#all<Api.SessionSummary[]>('sessions')).flat();
  }

  async metrics(): Promise<string> {
    return renderMetrics(await this.state());
  }

  /** A worker that ends meanwhile has no clients any more, and so nothing to say. */
  async #all<Reply>(call: string, body?: object): Promise<Reply[]> {
    const outcomes = await Promise.allSettled(
      [...this.#workers].map(({ channel }) => channel.call<Reply>(call, body)),
    );
    const replies = outcomes.flatMap((outcome) => {
      if (outcome.status === 'fulfilled') return [outcome.value];
      if (outcome.reason instanceof ProcessGoneError) return [];
      throw outcome.reason;
    });
    if (replies.length > 0) return replies;
    throw new ControlRefusal(503, 'no_worker', 'No worker of the proxy is running', 'Try again in a moment.');
  }

  // --- workers

  async #startWorker(index: number): Promise<void> {
    const child = this.#options.fork();
    const worker: Worker = {
      index,
      child,
      channel: new ProcessChannel(child, (call, body) => this.#asked(worker, call, body), REFUSALS),
      sockets: 0,
    };
    this.#children.add(child);
    const gone = () => void this.#gone(worker);
    child.once('exit', gone);
    child.once('error', gone);
    try {
      await worker.channel.call('start', this.#options.startMessage(index));
      await this.#catchUp(worker);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    if (this.#isClosed) return;
    this.#workers.add(worker);
    for (const socket of this.#waiting.splice(0)) this.accept(socket);
  }

  /** Brings a worker that has just started to where the others are, whatever they are told meanwhile. */
  async #catchUp({ channel }: Worker): Promise<void> {
    const given = new Set<string>();
    for (let version = -1; version !== this.#version; ) {
      version = this.#version;
      await this.#forgetEnded();
      for (const [owner, held] of this.#holds) {
        given.add(owner);
        const leaseMs = Math.max(SHORTEST_LEASE_MS, Math.round(held.endsAtMs - performance.now()));
        await channel.call('pause', { ...held.pause, leaseMs, drainTimeoutMs: 0 });
        if (held.committing !== undefined) await channel.call('committing', held.committing);
      }
      const own = await channel.call<Api.ProxyState>('state');
      const [peer] = this.#workers;
      const { activeSide: side, epoch } =
        (await peer?.channel.call<Api.ProxyState>('state').catch(() => own)) ?? own;
      if (side === undefined) continue;
      for (const owner of given) {
        if (!this.#holds.has(owner)) await channel.call('resume', { owner, side, epoch, isGivenUp: true });
      }
      if (own.activeSide === undefined || (side !== own.activeSide && epoch > own.epoch)) {
        await channel.call('resume', { owner: 'the proxy itself', side, epoch, isGivenUp: true });
      }
    }
  }

  /**
   * No command says that a lease has ended. Such a hold lives on only while a worker has it, which then asks for the row:
   * one that everybody has let go of would hold a new worker's clients for good.
   */
  async #forgetEnded(): Promise<void> {
    const isOver = ({ endsAtMs }: Held) => endsAtMs <= performance.now();
    if (![...this.#holds.values()].some(isOver)) return;
    const states = await this.#all<Api.ProxyState>('state').catch(() => []);
    const owners = new Set(states.flatMap(({ holds }) => holds.map(({ owner }) => owner)));
    for (const [owner, held] of this.#holds) {
      if (isOver(held) && !owners.has(owner)) this.#holds.delete(owner);
    }
  }

  /** Its clients see a closed connection, like those of a server process that died; the others notice nothing. */
  async #gone(worker: Worker): Promise<void> {
    this.#workers.delete(worker);
    // One that cannot be spoken to must not serve on.
    worker.child.kill('SIGKILL');
    // Up to the end of its pipe there may be words of its to read: which clients it has taken.
    while (worker.child.connected) await sleep(PIPE_POLL_MS);
    worker.channel.end();
    if (!this.#children.delete(worker.child) || this.#isClosed) return;
    setTimeout(() => {
      // Should it fail, its end brings the next attempt.
      if (!this.#isClosed) this.#startWorker(worker.index).catch(() => undefined);
    }, REPLACE_AFTER_MS);
  }

  async #asked(worker: Worker, call: string, body: unknown): Promise<void> {
    if (call === 'client-left') worker.sockets -= 1;
    // A cancel request comes in anywhere; the first byte of its secret says whom it is for.
    if (call === 'cancel') {
      const { secret } = body as { secret: string };
      const owner = [...this.#workers].find(({ index }) => index === Number.parseInt(secret.slice(0, 2), 16));
      await owner?.channel.call('cancel', body);
    }
  }
}
