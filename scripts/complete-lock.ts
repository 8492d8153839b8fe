/**
 * `node --import tsx scripts/complete-lock.ts [--check]`: adds to package-lock.json the optional packages of other platforms
 * that the registry at hand did not serve. npm leaves those out of the lock, and then `npm ci` refuses it everywhere.
 * They get the exact version their parent asks for and the platform their name says, and no checksum.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { packagePath } from '../src/base/package-root.ts';

export interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

const SYSTEMS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

/** Entries that the lock lacks. @throws {Error} when a missing package's platform or version cannot be told */
export function missingEntries(packages: LockedPackages): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {};
  for (const parent of Object.values(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const place = `node_modules/${name}`;
      if (packages[place] === undefined) missing[place] = entryFor(name, version, parent.dev ?? false);
    }
  }
  return missing;
}

function entryFor(name: string, version: string, isDev: boolean): LockedPackage {
  const words = name.split(/[-/]/);
  const system = words.find((word) => SYSTEMS.includes(word));
  const processor = words.find((word) => PROCESSORS.some((known) => word === known));
  if (!/^\d+\.\d+\.\d+/.test(version) || system === undefined || (processor ?? '') === '') {
    throw new Error(`${name}@${version} is not in the registry, and its name does not tell its platform`);
  }
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined;
  return {
    version,
    cpu: [processor ?? ''],
    ...(isDev ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc }),
    optional: true,
    os: [system],
  };
}

function main(): void {
  const path = packagePath('package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, LockedPackage> };
  const missing = missingEntries(lock.packages);
  const names = Object.keys(missing);
  if (names.length === 0) return;
  if (process.argv.includes('--check')) {
    console.error(
      `package-lock.json lacks ${names.join(', ')}\nRun: node --import tsx scripts/complete-lock.ts`,
    );
    process.exitCode = 1;
    return;
  }
  const packages = Object.fromEntries(
    Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  writeFileSync(path, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
}

if (process.argv[1]?.endsWith('complete-lock.ts')) main();
