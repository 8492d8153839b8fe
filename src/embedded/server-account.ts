/** PostgreSQL refuses to run as root: which account its processes get instead. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { PrerequisiteError } from '../domain/errors.ts';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Accounts that own nothing worth having, best first. initdb insists on one that /etc/passwd knows. */
const UNPRIVILEGED = ['nobody', 'postgres', 'daemon'];

/** Undefined: run as whoever we are. */
export function serverAccount(passwdPath = '/etc/passwd'): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = parsePasswd(readFileSync(passwdPath, 'utf8'));
  const found = UNPRIVILEGED.map((name) => accounts.get(name)).find((account) => account !== undefined);
  if (found !== undefined) return found;
  throw new PrerequisiteError(
    'embedded_server_account_missing',
    'PostgreSQL does not run as root, and there is no unprivileged account to run it as',
    { hint: `Run as another user, or add one of: ${UNPRIVILEGED.join(', ')}.` },
  );
}

/** macOS writes nobody's id as -2. */
export function parsePasswd(text: string): Map<string, Account> {
  const accounts = new Map<string, Account>();
  for (const line of text.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    if (name === undefined || uid === undefined || gid === undefined || Number(uid) === 0) continue;
    accounts.set(name, { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 });
  }
  return accounts;
}

/** Whether the account passes `test <flag> <path>` for every path: asked of the kernel, not computed from mode bits. */
export function accountMay(account: Account | undefined, flag: '-r' | '-w' | '-x', paths: string[]): boolean {
  const script = 'flag=$1; shift; for path; do test "$flag" "$path" || exit 1; done';
  const { status } = spawnSync('/bin/sh', ['-c', script, 'sh', flag, ...paths], {
    ...account,
    cwd: '/',
    stdio: 'ignore',
  });
  return status === 0;
}
