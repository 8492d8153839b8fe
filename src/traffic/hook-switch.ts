/**
 * The TrafficSwitch over a program of the user's, for any other pooler.
 *
 * It is run as `PROGRAM ACTION` with what it needs in its environment and answers on stdout, if at all, with JSON:
 *
 * | action     | must                                         | may answer                                         |
 * | ---------- | -------------------------------------------- | -------------------------------------------------- |
 * | observe    | change nothing                               | `{"side": "source", "epoch": 0, "paused": false}`  |
 * | prepare    | get ready for PGGLIDE_SIDE, without any wait | `{"ready": 3, "failures": []}`                     |
 * | pause      | hold new transactions, wait for running ones | `{"drained": true}`                                |
 * | renew      | keep the pause for PGGLIDE_LEASE_MS more     |                                                    |
 * | committing | keep the pause until resume, lease or not    |                                                    |
 * | resume     | serve on PGGLIDE_SIDE and release everything | `{"heldRequests": 12, "longestWaitMs": 40}`        |
 *
 * Exit code 0: done. 3: not drained in time (pause only). 4: the pooler cannot be reached. Anything else: failed.
 * Environment: PGGLIDE_SIDE, PGGLIDE_EPOCH, PGGLIDE_LEASE_MS, PGGLIDE_DRAIN_MS (pause: how long running transactions
 * may take), PGGLIDE_TIMEOUT_MS, PGGLIDE_HOST, PGGLIDE_PORT, PGGLIDE_DATABASE (of that side), PGGLIDE_DATABASES (all that move
 * together, one a line); never a password. The program is killed when PGGLIDE_TIMEOUT_MS is over.
 */

import { z } from 'zod';
import { type ProgramEnd, runProgram } from '../base/run-program.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { epochMoved } from '../domain/epoch-moved.ts';
import { RefusedError, UnreachableError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { Drained, TrafficState, TrafficSwitch } from './traffic-switch.ts';

export interface HookSwitchOptions {
  /** Path of the program; run without a shell. */
  readonly program: string;
  readonly servers: Readonly<Record<Side, ServerAddress>>;
  /** Databases that move together with the servers' own. */
  readonly others?: readonly string[];
  /** For every action; a pause gets its drain time on top. Default 30 s. */
  readonly timeoutMs?: number;
}

type Action = 'observe' | 'prepare' | 'pause' | 'renew' | 'committing' | 'resume';
const NOT_DRAINED = 3;
const NOT_REACHED = 4;
const MAX_ANSWER_BYTES = 1 << 20;

const count = z.number().int().min(0);
const answers = {
  observe: z.object({
    side: z.enum(['source', 'target']),
    epoch: count,
    paused: z.boolean().default(false),
    sessions: count.default(0),
  }),
  prepare: z.object({ ready: count.default(0), failures: z.array(z.string()).default([]) }),
  pause: z.object({ drained: z.boolean().default(true) }),
  resume: z.object({
    heldRequests: count.default(0),
    longestWaitMs: z.number().min(0).default(0),
    failedRequests: count.default(0),
  }),
};

export function openHookSwitch(options: HookSwitchOptions): TrafficSwitch {
  return new HookSwitch(options);
}

interface Outcome {
  readonly exitCode: number;
  readonly answer: unknown;
}

class HookSwitch implements TrafficSwitch {
  readonly #options: HookSwitchOptions;
  #pausedSinceMs: number | undefined;
  #leaseMs = 0;
  /** As first observed: whoever else moves traffic leaves another. */
  #knownEpoch: number | undefined;

  constructor(options: HookSwitchOptions) {
    this.#options = options;
  }

  async observe(): Promise<TrafficState> {
    const { answer } = await this.#run('observe', {});
    const { side, epoch, paused, sessions } = this.#read(answers.observe, 'observe', answer);
    this.#knownEpoch ??= epoch;
    return { activeSide: side, epoch, paused, sessions, description: `hook ${this.#options.program}` };
  }

  async prepare(to: Side) {
    const { answer } = await this.#run('prepare', this.#placeOf(to));
    return { ...this.#read(answers.prepare, 'prepare', answer), obstacles: [] };
  }

  async pause({ leaseMs, drainTimeoutMs }: { leaseMs: number; drainTimeoutMs: number }): Promise<Drained> {
    this.#pausedSinceMs ??= performance.now();
    this.#leaseMs = leaseMs;
    const times = { PGGLIDE_LEASE_MS: String(leaseMs), PGGLIDE_DRAIN_MS: String(drainTimeoutMs) };
    const { exitCode, answer } = await this.#run('pause', times, drainTimeoutMs, [NOT_DRAINED]);
    const drained = exitCode === 0 && this.#read(answers.pause, 'pause', answer).drained;
    return { drained, obstacles: [] };
  }

  async renew(leaseMs: number): Promise<void> {
    await this.#run('renew', { PGGLIDE_LEASE_MS: String(leaseMs) });
  }

  async committing(to: Side, epoch: number): Promise<void> {
    await this.#run('committing', { ...this.#placeOf(to), PGGLIDE_EPOCH: String(epoch) });
  }

  /** @throws {RefusedError} `epoch_moved`: another run moved traffic while this one stood still; it is left where it is */
  async resume(side: Side, epoch: number) {
    await this.#assertNotOvertaken(epoch);
    const { answer } = await this.#run('resume', { ...this.#placeOf(side), PGGLIDE_EPOCH: String(epoch) });
    const { longestWaitMs, ...seen } = this.#read(answers.resume, 'resume', answer);
    const pauseMs = this.#pausedSinceMs === undefined ? 0 : performance.now() - this.#pausedSinceMs;
    this.#pausedSinceMs = undefined;
    this.#knownEpoch = undefined;
    // Only the longest wait is known: an upper bound for all the others.
    const waits = { p50Ms: longestWaitMs, p95Ms: longestWaitMs, p99Ms: longestWaitMs, sessionsMoved: 0 };
    return { waits: { ...seen, ...waits, longestWaitMs }, pauseMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Asked only where the pause has outlasted its lease: a run of the program costs requests their time. */
  async #assertNotOvertaken(epoch: number): Promise<void> {
    const known = this.#knownEpoch;
    if (known === undefined || this.#pausedSinceMs === undefined) return;
    if (performance.now() - this.#pausedSinceMs <= this.#leaseMs) return;
    const now = await this.observe().catch(() => undefined);
    if (now === undefined || now.epoch === known || now.epoch === epoch) return;
    throw epochMoved(`Another run has moved traffic meanwhile: ${now.description}`, {
      noted: now.epoch,
      epoch,
    });
  }

  #placeOf(side: Side): Readonly<Record<string, string>> {
    const { host, port, database } = this.#options.servers[side];
    return {
      PGGLIDE_SIDE: side,
      PGGLIDE_HOST: host,
      PGGLIDE_PORT: String(port),
      PGGLIDE_DATABASE: database,
      PGGLIDE_DATABASES: [database, ...(this.#options.others ?? [])].join('\n'),
    };
  }

  #read<T>(schema: z.ZodType<T>, action: Action, answer: unknown): T {
    const parsed = schema.safeParse(answer ?? {});
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new RefusedError(
      'hook_answer_invalid',
      `${this.#options.program} ${action}: ${issue?.path.join('.')} ${issue?.message}`,
    );
  }

  async #run(
    action: Action,
    environment: Readonly<Record<string, string>>,
    moreMs = 0,
    accepted: readonly number[] = [],
  ): Promise<Outcome> {
    const { program } = this.#options;
    const timeoutMs = (this.#options.timeoutMs ?? 30_000) + moreMs;
    const env = { ...process.env, ...environment, PGGLIDE_TIMEOUT_MS: String(timeoutMs) };
    const answer: Buffer[] = [];
    let answerBytes = 0;
    const end = await runProgram(program, {
      args: [action],
      env,
      timeoutMs,
      onOutput: (chunk, stream) => {
        answerBytes += stream === 'stdout' ? chunk.length : 0;
        if (stream === 'stdout' && answerBytes <= MAX_ANSWER_BYTES) answer.push(chunk);
      },
    });
    const { exitCode } = end;
    if (exitCode !== undefined && [0, ...accepted].includes(exitCode)) {
      return { exitCode, answer: this.#parse(action, Buffer.concat(answer).toString('utf8')) };
    }
    throw this.#failed(action, end, timeoutMs);
  }

  #parse(action: Action, stdout: string): unknown {
    if (stdout.trim() === '') return undefined;
    try {
      return JSON.parse(stdout);
    } catch {
      throw new RefusedError(
        'hook_answer_invalid',
        `${this.#options.program} ${action} did not answer with JSON`,
      );
    }
  }

  #failed(
    action: Action,
    { exitCode, endedBySignal, notStarted, endedFor }: ProgramEnd,
    timeoutMs: number,
  ): Error {
    const { program } = this.#options;
    const code = notStarted ?? exitCode ?? endedBySignal;
    const what = endedFor === 'time' ? `took longer than ${timeoutMs} ms` : `failed (${code})`;
    if (code === NOT_REACHED || code === 'ENOENT' || code === 'EACCES') {
      return new UnreachableError(
        'proxy_unreachable',
        `${program} ${action}: the pooler cannot be reached (${code})`,
        {
          hint: 'Run the program by hand with the same action.',
        },
      );
    }
    return new RefusedError('hook_failed', `${program} ${action} ${what}`, {
      hint: 'Run the program by hand with the same action; exit code 0 means done.',
      facts: { action, exitCode: code },
    });
  }
}
