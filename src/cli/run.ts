/** One command from arguments to exit code, in a world that is passed in. */

import { type PgglideError, UsageError } from '../domain/errors.ts';
import type { CommandContext, CommandDefinition, GlobalOptions } from './command.ts';
import { COMMAND_DEFINITIONS } from './commands.ts';
import { describeFailure, isHelp, timedOut, toPgglideError } from './failure.ts';
import { Output, type Streams } from './output.ts';
import { buildProgram } from './program.ts';

export interface World extends Streams {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted when the user wants to stop; --timeout aborts it too. */
  readonly stop: AbortController;
}

const USAGE_EXIT_CODE = 2;

export async function runCli(argv: readonly string[], world: World): Promise<number> {
  let global: GlobalOptions = globalsOf(argv);
  let exitCode = 0;
  let onFailure: OnFailure = async () => undefined;
  const program = buildProgram(world, async (definition, options, args, parsed) => {
    global = parsed;
    refuseHtml(definition, global);
    const context: CommandContext = {
      global,
      env: world.env,
      cwd: world.cwd,
      signal: world.stop.signal,
      output: new Output(global, world.env, world),
      known: {},
      commands: COMMAND_DEFINITIONS,
    };
    if (definition.tellsFailure && options.dryRun !== true) onFailure = failureHook(context, definition.name);
    // `wait` has its own meaning of --timeout.
    const timer = definition.name === 'wait' ? undefined : await startTimeout(global, world.stop);
    try {
      exitCode = await definition.run(context, options, args);
    } finally {
      clearTimeout(timer);
    }
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    exitCode = reportFailure(thrown, world, global);
    await onFailure(exitCode, toPgglideError(thrown, world.stop.signal));
    return exitCode;
  }
  if (exitCode !== 0) await onFailure(exitCode);
  return exitCode;
}

type OnFailure = (exitCode: number, error?: PgglideError) => Promise<void>;

/** Told after the error stands on the screen. */
const failureHook =
  (context: CommandContext, command: string): OnFailure =>
  async (exitCode, error) => {
    if (context.known.settings?.hooks.dir === undefined) return;
    const { runFailureHook } = await import('./failure-hook.ts');
    await runFailureHook(context, command, exitCode, error);
  };

function refuseHtml({ name, hasHtml }: CommandDefinition, { format }: GlobalOptions): void {
  if (format !== 'html' || hasHtml) return;
  throw new UsageError('bad_usage', `${name} has no result as HTML`, {
    hint: 'pgglide report has: pgglide report -o html --output report.html',
  });
}

/** Prints what is to be said and tells the exit code. */
export function reportFailure(
  thrown: unknown,
  { stderr, stop }: Pick<World, 'stderr' | 'stop'>,
  global: GlobalOptions,
): number {
  // A script whose variable is empty must not go on.
  if (isHelp(thrown)) return USAGE_EXIT_CODE;
  const error = toPgglideError(thrown, stop.signal);
  if (error === undefined) return 0;
  const json = global.format === 'json' || global.format === 'jsonl' || global.logFormat === 'json';
  stderr.write(`${describeFailure(error, { json, verbose: global.verbose === true })}\n`);
  return error.exitCode;
}

/** Before parsing has succeeded the few flags that decide how an error looks are read by hand. */
export function globalsOf(argv: readonly string[]): GlobalOptions {
  const json = argv.some(
    (arg, index) =>
      /^(-o=?|--format=)jsonl?$/.test(arg) ||
      (/^(-o|--format)$/.test(arg) && /^jsonl?$/.test(argv[index + 1] ?? '')),
  );
  return { format: json ? 'json' : 'text', verbose: argv.includes('-v') || argv.includes('--verbose') };
}

async function startTimeout(
  { timeout }: GlobalOptions,
  stop: AbortController,
): Promise<NodeJS.Timeout | undefined> {
  if (timeout === undefined) return undefined;
  const { durationFlag } = await import('./flag-values.ts');
  return setTimeout(() => stop.abort(timedOut(timeout)), durationFlag('--timeout', timeout)).unref();
}
