import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect } from 'vitest';
import { installedBinaries, runnableBinaries } from './binaries.ts';
import { serverAccount } from './server-account.ts';

const account = serverAccount();

/** A package as a package manager leaves it that blocks install scripts: without the library symlinks. */
const test = base.extend<{ folder: string; native: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants a fixture's first parameter destructured.
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
    chmodSync(folder, 0o755);
    await use(folder);
    chmodSync(join(folder, 'native', 'lib'), 0o755);
    rmSync(folder, { recursive: true, force: true });
  },
  native: async ({ folder }, use) => {
    const native = join(folder, 'native');
    const isFile = (path: string) => !lstatSync(path).isSymbolicLink();
    cpSync(installedBinaries(15), native, { recursive: true, filter: isFile });
    await use(native);
  },
});

const runs = (binaries: string) =>
  execFileSync(join(binaries, 'bin', 'postgres'), ['--version'], { ...account, cwd: '/', encoding: 'utf8' });

const linkOf = (native: string) => {
  const [link] = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
  return link?.target.replace(/^native\//, '') ?? '';
};

test('missing library symlinks are made in place', ({ folder, native }) => {
  expect(existsSync(join(native, linkOf(native)))).toBe(false);
  expect(runnableBinaries(native, account, folder)).toBe(native);
  expect(existsSync(join(native, linkOf(native)))).toBe(true);
  expect(runs(native)).toContain('PostgreSQL) 15.');
});

test('a package out of reach, or read-only without symlinks, is copied', ({ folder, native }) => {
  // Root writes anywhere, but its server's account does not read everywhere; for others it is the other way round.
  if (account === undefined) chmodSync(join(native, 'lib'), 0o555);
  else chmodSync(native, 0o700);
  const copy = runnableBinaries(native, account, folder);
  expect(copy).toBe(join(folder, 'binaries'));
  expect(existsSync(join(copy, linkOf(native)))).toBe(true);
  expect(runs(copy)).toContain('PostgreSQL) 15.');
  expect(runnableBinaries(native, account, folder)).toBe(copy);
});
