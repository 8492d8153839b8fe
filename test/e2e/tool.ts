/** Child processes as a user starts them, with every line they say at hand; ended by their pid. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from '../../src/base/async.ts';
import type { EventType, MigrationEvent } from '../../src/domain/event.ts';

/** When the tool sends itself a signal: right after it has logged the event, or a server has answered the statement. */
export interface KillAt {
  readonly type?: EventType;
  /** A regular expression of the text of a statement that a server has answered. */
  readonly statement?: string;
  /** Another one: statements count only once one of this text has been answered. */
  readonly after?: string;
  /** Of events that name one. */
  readonly step?: string;
  /** The how manieth such event; the first when omitted. */
  readonly nth?: number;
  /** SIGKILL when omitted. */
  readonly signal?: 'SIGKILL' | 'SIGINT' | 'SIGSTOP';
}

export interface Ended {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const PRELOAD = fileURLToPath(new URL('kill-at.mjs', import.meta.url));
const PATIENCE_MS = 120_000;

export const killEnvironment = (at: KillAt): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--import=${PRELOAD}`,
  PGGLIDE_TEST_KILL_AT: JSON.stringify(at),
});

export class Tool {
  readonly events: MigrationEvent[] = [];
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(
    [program = '', ...args]: readonly string[],
    env: Readonly<Record<string, string>>,
    cwd = process.cwd(),
  ) {
    this.#child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    if (this.#child.stderr)
      createInterface({ input: this.#child.stderr }).on('line', (line) => this.#said(line));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // `close`: the streams have been read to their end, too.
      this.#child.once('close', (code, signal) => {
        resolve({
          exitCode: code ?? undefined,
          signal: signal ?? undefined,
          stdout: this.#stdout,
          stderr: this.#stderr,
        });
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** All it said so far on both streams. */
  get output(): string {
    return `${this.#stdout}${this.#stderr}`;
  }

  /** Resolves when it has logged such an event; rejects when it ended without. */
  async logged(type: EventType, step?: string, count = 1): Promise<void> {
    await this.#becomes(`the event ${type} ${step ?? ''}`, () => this.#count(type, step) >= count);
  }

  /** Resolves in the middle of the copy: some tables are copied, and some are not. */
  async copiesHalf(): Promise<void> {
    await this.#becomes('the middle of the copy', () =>
      this.events.some(
        ({ type, data }) => type === 'copy-progress' && data.tablesDone > 0 && data.tablesDone < data.tables,
      ),
    );
  }

  async says(text: string): Promise<void> {
    await this.#becomes(`"${text}"`, () => this.output.includes(text));
  }

  /** Resolves when it has stopped itself (SIGSTOP). */
  async hasStopped(): Promise<void> {
    await this.#becomes('its stop', () =>
      /^State:\s+T/m.test(readFileSync(`/proc/${this.pid}/status`, 'utf8')),
    );
  }

  /** Sends the signal to this one process, and waits for its end unless it only stops or goes on. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT' = 'SIGKILL'): Promise<Ended> {
    this.#child.kill(signal);
    return this.ended;
  }

  /** It stands still, with its sessions and locks, until goOn(). */
  async stop(): Promise<void> {
    this.#child.kill('SIGSTOP');
    await this.hasStopped();
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  #said(line: string): void {
    this.#stderr += `${line}\n`;
    if (line.startsWith('{"type"')) this.events.push(JSON.parse(line) as MigrationEvent);
  }

  #count(type: EventType, step: string | undefined): number {
    return this.events.filter(
      (event) => event.type === type && (step === undefined || stepOf(event) === step),
    ).length;
  }

  async #becomes(what: string, isSo: () => boolean): Promise<void> {
    const probe = async () => {
      if (isSo()) return true;
      if (!this.isRunning) throw new Error(`Ended without ${what}:\n${this.output.slice(-4000)}`);
      return undefined;
    };
    await until(what, probe, { timeoutMs: PATIENCE_MS, intervalMs: 5 });
  }
}

export function stepOf(event: MigrationEvent): string | undefined {
  const step = 'step' in event.data ? event.data.step : undefined;
  return typeof step === 'object' ? step.id : step;
}
