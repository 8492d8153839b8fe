/** The process: its signals, its streams, its end. The only place that exits it. */

import { closeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { type PgglideError, UsageError } from '../domain/errors.ts';
import { interrupted, outputNotWritten } from './failure.ts';
import { globalsOf, reportFailure, runCli, type World } from './run.ts';

/** How long open handles may keep the process after its work is done. */
const LINGER_MS = 2000;

export async function main(argv: readonly string[]): Promise<void> {
  const stop = new AbortController();
  const { stdout, stderr, env } = process;
  const world: World = {
    stdout,
    stderr,
    env,
    get cwd() {
      return workingFolder();
    },
    stop,
  };
  listenToSignals(stop);
  closeLostTerminal();
  // Results that nobody reads any more (`| head`, a terminal that was closed, a full disk) end the work as Ctrl-C does: in a pause requests wait for us.
  let unwritten: PgglideError | undefined;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    const isReaderGone = error.code === 'EPIPE' || error.code === 'EIO';
    if (!isReaderGone) unwritten ??= outputNotWritten(error);
    stop.abort(unwritten ?? interrupted('the reader of its output, which went away'));
  });
  // Nobody need watch: a switch, or a proxy, goes on without.
  stderr.on('error', () => undefined);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (thrown: unknown) => {
      process.exit(reportFailure(thrown, world, globalsOf(argv)));
    });
  }
  const exitCode = await runCli(argv, world);
  // The failure of the last write is told after it.
  await setImmediate();
  const isTold = unwritten === undefined || exitCode === unwritten.exitCode;
  process.exitCode = isTold ? exitCode : reportFailure(unwritten, world, globalsOf(argv));
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

/** @throws {UsageError} `folder_gone` */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new UsageError('folder_gone', 'The folder that pgglide was started in is gone', {
      hint: 'Go to one that is there (cd), and run it again.',
      cause,
    });
  }
}

/**
 * The first signal asks to stop cleanly, the second does not ask. What else may have stopped us before (--timeout, a reader that the
 * same Ctrl-C has ended) is no signal.
 */
function listenToSignals(stop: AbortController): void {
  let isAsked = false;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (isAsked) process.exit(interrupted(name).exitCode);
      isAsked = true;
      process.stderr.write('\nstopping cleanly; once more to stop at once\n');
      stop.abort(interrupted(name));
    });
  }
  process.on('SIGHUP', () => hungUp(stop));
}

/**
 * A terminal was closed, or the connection to it (ssh) broke; one hang-up may come as several signals. Where no terminal shows what we say (nohup,
 * a service) it is none of ours, and we go on: Node itself forgets at its start that nohup had the signal ignored.
 */
function hungUp(stop: AbortController): void {
  const hasTerminal = process.stdout.isTTY || process.stderr.isTTY;
  if (!hasTerminal || stop.signal.aborted) return;
  stop.abort(interrupted('SIGHUP'));
}

/** Node puts a terminal back at its end as it found it, and aborts (SIGABRT) where that is gone. */
function closeLostTerminal(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.on('exit', () => {
    for (const descriptor of terminals) if (!isatty(descriptor)) closeSync(descriptor);
  });
}
