/** The command line: parse, run one command, map what it throws to an exit code. No logic of a migration is here. */

import type { CommandContext, GlobalOptions } from './command.ts';
import { COMMAND_DEFINITIONS } from './commands.ts';
import { describeFailure, interrupted, isHelp, timedOut, toPgglideError } from './failure.ts';
import { Output } from './output.ts';
import { buildProgram } from './program.ts';

/** How long open handles may keep the process after its work is done. */
const LINGER_MS = 2000;
const USAGE_EXIT_CODE = 2;

export async function main(argv: readonly string[]): Promise<void> {
  const controller = new AbortController();
  listenToSignals(controller);
  // A reader that went away (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    throw error;
  });
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (thrown: unknown) => {
      process.exit(report(thrown, controller.signal, globalsOf(argv)));
    });
  }
  process.exitCode = await run(argv, controller);
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

async function run(argv: readonly string[], controller: AbortController): Promise<number> {
  let global: GlobalOptions = globalsOf(argv);
  let exitCode = 0;
  const program = buildProgram(async (definition, options, args, parsed) => {
    global = parsed;
    const { signal } = controller;
    const output = new Output(global, process.env);
    const context: CommandContext = {
      global,
      env: process.env,
      cwd: process.cwd(),
      signal,
      output,
      commands: COMMAND_DEFINITIONS,
    };
    const timer = await startTimeout(global, controller, definition.name);
    try {
      exitCode = await definition.run(context, options, args);
    } finally {
      clearTimeout(timer);
    }
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    return report(thrown, controller.signal, global);
  }
}

/** Before parsing has succeeded the few flags that decide how an error looks are read by hand. */
function globalsOf(argv: readonly string[]): GlobalOptions {
  const json = argv.some(
    (arg, index) =>
      /^(-o=?|--format=)jsonl?$/.test(arg) ||
      (/^(-o|--format)$/.test(arg) && /^jsonl?$/.test(argv[index + 1] ?? '')),
  );
  return { format: json ? 'json' : 'text', verbose: argv.includes('-v') || argv.includes('--verbose') };
}

function report(thrown: unknown, signal: AbortSignal, global: GlobalOptions): number {
  // A script whose variable is empty must not go on.
  if (isHelp(thrown)) return USAGE_EXIT_CODE;
  const error = toPgglideError(thrown, signal);
  if (error === undefined) return 0;
  const json = global.format === 'json' || global.format === 'jsonl' || global.logFormat === 'json';
  process.stderr.write(`${describeFailure(error, { json, verbose: global.verbose === true })}\n`);
  return error.exitCode;
}

/** The first signal asks to stop cleanly, the second does not ask. */
function listenToSignals(controller: AbortController): void {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(interrupted(name).exitCode);
      process.stderr.write('\nstopping cleanly; once more to stop at once\n');
      controller.abort(interrupted(name));
    });
  }
}

/** `wait` has its own meaning of --timeout. */
async function startTimeout(
  global: GlobalOptions,
  controller: AbortController,
  command: string,
): Promise<NodeJS.Timeout | undefined> {
  const { timeout } = global;
  if (timeout === undefined || command === 'wait') return undefined;
  const { durationFlag } = await import('./flag-values.ts');
  return setTimeout(() => controller.abort(timedOut(timeout)), durationFlag('--timeout', timeout)).unref();
}
