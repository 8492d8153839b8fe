/** The token that a control API or the dashboard asks for, where it listens to more than this machine. */

import { readFileSync, statSync } from 'node:fs';
import { UsageError } from '../domain/errors.ts';
import { MOUNTED_SECRETS } from './secret.ts';

const OTHERS_MAY = 0o077;
/** The kubelet gives what it mounts to the pod's own group. */
const OTHERS_MAY_IF_MOUNTED = 0o007;
const MIN_CHARACTERS = 32;

/** The first line of the file. @throws {UsageError} `token_file_unusable` */
export function readToken(path: string): string {
  const [token = ''] = readPrivate(path).split('\n');
  if (token.trim().length >= MIN_CHARACTERS) return token.trim();
  throw unusable(`The token in ${path} is shorter than ${MIN_CHARACTERS} characters`, { path });
}

function readPrivate(path: string): string {
  let mode: number;
  let text: string;
  try {
    mode = statSync(path).mode;
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw unusable(`Cannot read the token file ${path}`, { path, cause });
  }
  const forbidden = path.startsWith(`${MOUNTED_SECRETS}/`) ? OTHERS_MAY_IF_MOUNTED : OTHERS_MAY;
  if ((mode & forbidden) === 0) return text;
  throw unusable(`Others may read the token file ${path}`, { path });
}

const unusable = (message: string, { path, cause }: { path: string; cause?: unknown }): UsageError =>
  new UsageError('token_file_unusable', message, {
    hint: `Make one: (umask 077; openssl rand -hex 32 > ${path})`,
    ...(cause === undefined ? {} : { cause }),
  });
