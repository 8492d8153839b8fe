/**
 * Runs the programs in `hooks.dir` when their moments come, one at a time.
 *
 * Only before-cutover can change what a command does. The others are told of something that has happened: whatever becomes
 * of them is a warning. None runs inside a pause: beforeSwitch() waits for those that still run.
 */

import { type ProgramEnd, runProgram } from '../base/run-program.ts';
import { RefusedError } from '../domain/errors.ts';
import type { MigrationEvent, SwitchoverDirection } from '../domain/event.ts';
import type { Side } from '../domain/names.ts';
import { formatDuration } from '../observers/quantity.ts';
import { findHook } from './find-hook.ts';
import { hookEnvironment } from './hook-environment.ts';
import type { HookName } from './hook-name.ts';
import { type KnownSide, type Moment, momentOf, sideAfter } from './moments.ts';
import { OutputLines } from './output-lines.ts';

/** The hooks that a pgglide is called from: it does not run them once more, or on-validated could call `pgglide verify` for ever. */
const WITHIN = 'PGGLIDE_WITHIN_HOOKS';

export interface HooksOptions {
  readonly folder: string;
  /** For each hook. */
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Variables in it that hold a password. */
  readonly withheld: readonly string[];
  readonly migration: string;
  /** "host:port/database" */
  readonly servers: Readonly<Record<Side, string>>;
  /** A line that a hook has written. */
  readonly tell: (text: string) => void;
  readonly warn: (text: string) => void;
  /** Aborted: what runs is ended, and nothing more begins. */
  readonly signal: AbortSignal;
}

type Ending =
  | { readonly kind: 'none' | 'done' }
  | { readonly kind: 'not runnable' | 'failed'; readonly what: string; readonly exitCode?: number };

export class Hooks {
  readonly #options: HooksOptions;
  #activeSide: KnownSide = 'unknown';
  #running: Promise<void> = Promise.resolve();
  #later: Moment[] = [];

  constructor(options: HooksOptions) {
    this.#options = options;
  }

  /** As the migration's row has it. */
  knowSide(side: Side): void {
    this.#activeSide = side;
  }

  onEvent(event: MigrationEvent): void {
    this.#activeSide = sideAfter(this.#activeSide, event);
    const moment = momentOf(event);
    if (moment === undefined) return;
    // The comparison after a switch may take hours; after the other moments the command is about to end, and with it the lock.
    if (moment.hook === 'on-switched') this.#start(moment);
    else this.#later.push(moment);
  }

  /**
   * Before anything of a switch is done.
   * @throws {RefusedError} `hook_refused`, `hook_not_runnable`: the cutover must not begin
   */
  async beforeSwitch(direction: SwitchoverDirection, from: Side): Promise<void> {
    await this.#running;
    this.#options.signal.throwIfAborted();
    this.#activeSide = from;
    if (direction !== 'cutover') return;
    const facts = { switchover: { direction, from, to: 'target' } };
    const at = new Date().toISOString();
    const ending = await this.#run({ hook: 'before-cutover', at, facts }, this.#options.signal);
    this.#options.signal.throwIfAborted();
    if (ending.kind === 'not runnable') {
      throw new RefusedError(
        'hook_not_runnable',
        `Cutover refused: hook before-cutover cannot be run: ${ending.what}`,
        {
          hint: 'Nothing was changed. Mend it, or take hooks.dir out of the configuration, and cut over again.',
        },
      );
    }
    if (ending.kind === 'failed') {
      throw new RefusedError('hook_refused', `Cutover refused: hook before-cutover ${ending.what}`, {
        hint: 'Nothing was changed. Once what it asks for is there: pgglide cutover',
        facts: { hook: 'before-cutover', exitCode: ending.exitCode },
      });
    }
  }

  /** What has happened and was not told yet; to be called when no lock is held any more. */
  async finish(): Promise<void> {
    for (const moment of this.#later.splice(0)) this.#start(moment);
    await this.#running;
  }

  /** Also when the command was asked to stop: then this is the last thing that it does. */
  async failed(moment: Moment, activeSide?: KnownSide): Promise<void> {
    await this.#running;
    this.#activeSide = activeSide ?? this.#activeSide;
    this.#warnOf(moment.hook, await this.#run(moment));
  }

  #start(moment: Moment): void {
    this.#running = this.#running.then(async () => {
      const { signal } = this.#options;
      if (!signal.aborted) this.#warnOf(moment.hook, await this.#run(moment, signal));
    });
  }

  #warnOf(hook: HookName, ending: Ending): void {
    if (ending.kind === 'failed') this.#options.warn(`hook ${hook} ${ending.what}`);
    if (ending.kind === 'not runnable') this.#options.warn(`hook ${hook} cannot be run: ${ending.what}`);
  }

  async #run({ hook, at, facts }: Moment, signal?: AbortSignal): Promise<Ending> {
    const { folder, timeoutMs, env, withheld, migration, servers, tell } = this.#options;
    const within = (env[WITHIN] ?? '').split(',').filter((name) => name !== '');
    // The guard is never left out.
    if (within.includes(hook) && hook !== 'before-cutover') return { kind: 'none' };
    const found = await findHook(folder, hook);
    if (found === undefined) return { kind: 'none' };
    if ('problem' in found) return { kind: 'not runnable', what: found.problem };
    const activeSide = this.#activeSide;
    const lines = new OutputLines((line) => tell(`${hook}: ${line}`));
    const end = await runProgram(found.path, {
      env: hookEnvironment(env, withheld, {
        PGGLIDE_MIGRATION: migration,
        PGGLIDE_EVENT: hook,
        PGGLIDE_ACTIVE_SIDE: activeSide,
        [WITHIN]: [...within, hook].join(','),
      }),
      input: `${JSON.stringify({ event: hook, at, migration, activeSide, ...servers, ...facts })}\n`,
      timeoutMs,
      asGroup: true,
      onOutput: (chunk, stream) => lines.add(chunk, stream),
      ...(signal && { signal }),
    });
    lines.end();
    return endingOf(end, timeoutMs, lines.last);
  }
}

function endingOf(end: ProgramEnd, timeoutMs: number, lastLine: string): Ending {
  const { exitCode, endedBySignal, endedFor, notStarted } = end;
  if (notStarted !== undefined) return { kind: 'not runnable', what: `it did not start (${notStarted})` };
  const said = lastLine === '' ? '' : `: ${lastLine}`;
  if (endedFor === 'time')
    return {
      kind: 'failed',
      what: `took longer than ${formatDuration(timeoutMs)} (hooks.timeout) and was ended${said}`,
    };
  if (endedFor === 'stop') return { kind: 'failed', what: 'was ended: pgglide was told to stop' };
  if (exitCode === 0) return { kind: 'done' };
  return exitCode === undefined
    ? { kind: 'failed', what: `was ended by ${endedBySignal}${said}` }
    : { kind: 'failed', what: `ended with exit code ${exitCode}${said}`, exitCode };
}
