/** A data directory: made by initdb, configured by us. */

import { execFile } from 'node:child_process';
import { appendFileSync, chownSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UnexpectedError } from '../domain/errors.ts';
import type { Home } from './home.ts';
import type { Account } from './server-account.ts';

const run = promisify(execFile);

/** Nothing of the caller's PG* variables or locale may reach the server. */
export const SERVER_ENVIRONMENT: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

export interface InitOptions {
  readonly binaries: string;
  readonly home: Home;
  readonly account: Account | undefined;
  readonly user: string;
  readonly password: string;
  readonly locale: string;
  /** False skips initdb's own fsync of everything. */
  readonly durable: boolean;
}

/**
 * initdb with SCRAM-SHA-256 for every way in, sockets and replication too.
 * @see https://www.postgresql.org/docs/current/app-initdb.html
 */
export async function initCluster(options: InitOptions): Promise<void> {
  const { home, account } = options;
  const passwordFile = join(home.path, 'password.new');
  // Beside that file it is what an initdb of ours left that was killed. Anybody else's is not ours to remove.
  const isOthers = existsSync(home.dataDirectory) && !existsSync(passwordFile);
  writeFileSync(passwordFile, options.password, { mode: 0o600 });
  if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
  try {
    await run(
      join(options.binaries, 'bin', 'initdb'),
      [
        `--pgdata=${home.dataDirectory}`,
        `--username=${options.user}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        `--locale=${options.locale}`,
        ...(options.durable ? [] : ['--no-sync']),
      ],
      { ...account, cwd: home.path, env: SERVER_ENVIRONMENT },
    );
  } catch (cause) {
    if (!isOthers) rmSync(home.dataDirectory, { recursive: true, force: true });
    const { stderr } = cause as { stderr?: string };
    throw new UnexpectedError('embedded_server_failed', `initdb failed: ${stderr?.trim() || cause}`, {
      cause,
    });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  appendFileSync(join(home.dataDirectory, 'postgresql.conf'), `include = 'pgglide.conf'\n`);
}

/** Our settings live in a file of their own, below ALTER SYSTEM's. */
export function configureCluster(home: Home, account: Account | undefined, conf: string): void {
  const path = join(home.dataDirectory, 'pgglide.conf');
  writeFileSync(path, conf, { mode: 0o600 });
  if (account !== undefined) chownSync(path, account.uid, account.gid);
}

/** "15.18" */
export async function binariesVersion(binaries: string): Promise<string> {
  const { stdout } = await run(join(binaries, 'bin', 'postgres'), ['--version'], { env: SERVER_ENVIRONMENT });
  return /\d+\.\d+/.exec(stdout)?.[0] ?? stdout.trim();
}
