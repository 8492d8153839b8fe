/** `passwordFrom`: a password out of a file, a variable, a command or a Secret of Kubernetes. Only its first line counts. */

import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { PgglideError, UsageError } from '../domain/errors.ts';
import { readSecretContent, type SecretRef, type SecretSource, secretValue } from './secret.ts';

export interface PasswordSource {
  readonly file?: string | undefined;
  readonly env?: string | undefined;
  readonly command?: string | undefined;
  readonly secretKeyRef?: (SecretRef & { readonly key: string }) | undefined;
}

export interface PasswordContext extends SecretSource {
  /** Relative files start here. */
  readonly folder: string;
  readonly warn: (message: string) => void;
}

const COMMAND_TIMEOUT_MS = 30_000;

/** @throws {UsageError} `password_unavailable`, `secret_unavailable`, `secret_key_missing`, and what the cluster says */
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
    if (source.secretKeyRef !== undefined) return await readSecretKey(source.secretKeyRef, context);
    return await run(source.command ?? '');
  } catch (cause) {
    if (cause instanceof PgglideError) throw cause;
    const reason = (cause as NodeJS.ErrnoException).code ?? 'it failed';
    throw unavailable(describe(source), String(reason), cause);
  }
}

async function readSecretKey(
  { key, ...ref }: NonNullable<PasswordSource['secretKeyRef']>,
  context: PasswordContext,
): Promise<string> {
  return secretValue(await readSecretContent(ref, context), key, ref);
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
  if (source.secretKeyRef !== undefined) return `the Secret ${source.secretKeyRef.name}`;
  return source.env === undefined ? 'the command' : `the variable ${source.env}`;
}

/** The cause stays out: a failed command's error holds what it printed. */
const unavailable = (what: string, reason: string, cause?: unknown): UsageError =>
  new UsageError('password_unavailable', `passwordFrom: no password from ${what} (${reason})`, {
    hint: 'See passwordFrom in docs/config.md.',
    ...(cause instanceof Error && !('stdout' in cause) ? { cause } : {}),
  });
