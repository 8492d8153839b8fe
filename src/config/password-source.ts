/** `passwordFrom`: a password out of a file, a variable or a command. Only its first line counts. */

import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { UsageError } from '../domain/errors.ts';

export interface PasswordSource {
  readonly file?: string | undefined;
  readonly env?: string | undefined;
  readonly command?: string | undefined;
}

export interface PasswordContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative files start here. */
  readonly folder: string;
  readonly warn: (message: string) => void;
}

const COMMAND_TIMEOUT_MS = 30_000;

/** @throws {UsageError} `password_unavailable` */
export async function readPassword(source: PasswordSource, context: PasswordContext): Promise<string> {
  const text = await read(source, context);
  const [line = ''] = text.split(/\r?\n/);
  if (line === '') throw unavailable(describe(source), 'it is empty');
  return line;
}

async function read(source: PasswordSource, context: PasswordContext): Promise<string> {
  try {
    if (source.file !== undefined) return readFile(resolve(context.folder, source.file), context.warn);
    if (source.env !== undefined) return context.env[source.env] ?? '';
    return await run(source.command ?? '');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'it failed';
    throw unavailable(describe(source), String(reason), cause);
  }
}

/** Kubernetes mounts secrets readable by all inside their own container: a warning, no refusal. */
function readFile(path: string, warn: (message: string) => void): string {
  if (
    process.platform !== 'win32' &&
    (statSync(path).mode & 0o007) !== 0 &&
    !path.startsWith('/run/secrets/')
  ) {
    warn(`password file "${path}" is open to every user of this machine; permissions should be u=rw (0600)`);
  }
  return readFileSync(path, 'utf8');
}

async function run(command: string): Promise<string> {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], { timeout: COMMAND_TIMEOUT_MS });
  return stdout;
}

function describe(source: PasswordSource): string {
  if (source.file !== undefined) return `the file ${source.file}`;
  return source.env === undefined ? 'the command' : `the variable ${source.env}`;
}

/** The cause stays out: a failed command's error holds what it printed. */
const unavailable = (what: string, reason: string, cause?: unknown): UsageError =>
  new UsageError('password_unavailable', `passwordFrom: no password from ${what} (${reason})`, {
    hint: 'See passwordFrom in docs/config.md.',
    ...(cause instanceof Error && !('stdout' in cause) ? { cause } : {}),
  });
