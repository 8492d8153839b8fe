/** A failure -> its exit code and what is printed. The only place that knows. */

import { CommanderError } from 'commander';
import {
  InterruptedError,
  PgglideError,
  UnexpectedError,
  UnreachableError,
  UsageError,
} from '../domain/errors.ts';
import { printable } from '../observers/printable.ts';

/** No command was given: the help was printed instead. */
export const isHelp = (thrown: unknown): boolean =>
  thrown instanceof CommanderError && thrown.code === 'commander.help';

/** Undefined: no failure at all, help or version was asked for. */
export function toPgglideError(thrown: unknown, signal: AbortSignal): PgglideError | undefined {
  if (thrown instanceof CommanderError) return fromCommander(thrown);
  // What breaks because we were told to stop is no news; what is known about traffic and data is.
  const isNews = thrown instanceof PgglideError && !(thrown instanceof UnreachableError);
  if (signal.aborted && !isNews && signal.reason instanceof PgglideError) return signal.reason;
  if (thrown instanceof PgglideError) return thrown;
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return new UnexpectedError('unexpected', message, {
    hint: 'This is a bug of pgglide. Please report it with the output of the same command with --verbose.',
    cause: thrown,
  });
}

export const interrupted = (by: string): InterruptedError =>
  new InterruptedError('interrupted', `Stopped by ${by}`, {
    hint: 'Nothing is lost: the same command again goes on where this one stopped.',
  });

export const outputNotWritten = (cause: Error): UsageError =>
  new UsageError('file_not_written', `The output could not be written: ${cause.message}`, {
    hint: 'Is the disk full that it is written to? What the command had begun goes on with the same command again.',
    cause,
  });

export const timedOut = (timeout: string): InterruptedError =>
  new InterruptedError('timed_out', `Stopped after ${timeout} (--timeout)`, {
    hint: 'Nothing is lost: the same command again goes on where this one stopped.',
  });

const USAGE_CODES: Readonly<Record<string, string>> = {
  'commander.unknownOption': 'unknown_flag',
  'commander.unknownCommand': 'unknown_command',
};

function fromCommander(error: CommanderError): PgglideError | undefined {
  if (error.exitCode === 0) return undefined;
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.join(' ').replace(/^\(|\)$/g, '');
  // `--password=...` is an unknown flag: what follows the equals sign is nobody's business.
  const message = first.replace(/(unknown option '--?[^'=]+)=.*$/, "$1'");
  return new UsageError(USAGE_CODES[error.code] ?? 'bad_usage', message, {
    hint: suggestion || 'pgglide --help lists commands and flags.',
  });
}

/** "error CODE: message" and "hint: ..."; one JSON object where JSON was asked for. */
export function describeFailure(error: PgglideError, options: { json: boolean; verbose: boolean }): string {
  if (options.json) {
    const { code, message, hint, exitCode, facts } = error;
    return JSON.stringify({ error: { code, message, hint, exitCode, facts } });
  }
  const lines = [`error ${error.code}: ${error.message}`];
  if (error.hint !== undefined) lines.push(`hint: ${error.hint}`);
  if (options.verbose) lines.push(...causes(error));
  return lines
    .flatMap((line) => line.split('\n'))
    .map(printable)
    .join('\n');
}

function causes(error: Error): string[] {
  const { cause } = error;
  if (!(cause instanceof Error)) return error instanceof PgglideError ? [] : [String(error.stack)];
  return [`cause: ${cause.stack ?? cause.message}`, ...(cause.cause ? causes(cause) : [])];
}
