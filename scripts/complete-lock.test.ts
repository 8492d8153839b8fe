import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../src/base/package-root.ts';
import { type LockedPackages, missingEntries } from './complete-lock.ts';

test('the lock names every optional package, so that npm ci takes it on every platform', () => {
  const { packages } = JSON.parse(readFileSync(packagePath('package-lock.json'), 'utf8')) as {
    packages: LockedPackages;
  };
  expect(missingEntries(packages)).toEqual({});
});

test('a package of another platform gets its parent’s version and the platform of its name', () => {
  const packages = {
    'node_modules/tool': {
      dev: true,
      optionalDependencies: { '@tool/cli-linux-arm64-musl': '1.2.3', '@tool/cli-win32-x64': '1.2.3' },
    },
    'node_modules/@tool/cli-win32-x64': { version: '1.2.3' },
  };
  expect(missingEntries(packages)).toEqual({
    'node_modules/@tool/cli-linux-arm64-musl': {
      version: '1.2.3',
      cpu: ['arm64'],
      dev: true,
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    },
  });
});

test('what its name does not tell is not guessed', () => {
  expect(() => missingEntries({ 'node_modules/a': { optionalDependencies: { helper: '1.0.0' } } })).toThrow(
    'helper@1.0.0',
  );
  expect(() =>
    missingEntries({ 'node_modules/a': { optionalDependencies: { 'b-linux-x64': '^1' } } }),
  ).toThrow('b-linux-x64');
});
