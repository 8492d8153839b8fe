import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packagePath } from '../base/package-root.ts';
import { ERROR_CODES, type ErrorFamily, FAMILIES } from './error-codes.ts';
import * as errors from './errors.ts';

/** "family code" of every error that the sources make. */
function thrown(): Set<string> {
  const found = new Set<string>();
  const root = packagePath('src');
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
    const text = readFileSync(join(root, name), 'utf8');
    for (const [, family = '', code = ''] of text.matchAll(/new (\w+Error)\(\s*['`]([\w${}]+)['`]/g)) {
      if (!(family in FAMILIES)) continue;
      // A code such as `${side}_lost` stands for two.
      const [, tail] = /^\$\{side\}(.*)$/.exec(code) ?? [];
      const codes = tail === undefined ? [code] : [`source${tail}`, `target${tail}`];
      for (const each of codes) found.add(`${family} ${each}`);
    }
  }
  // Chosen in cli/failure.ts from commander's own codes.
  for (const code of ['unknown_flag', 'unknown_command']) found.add(`UsageError ${code}`);
  return found;
}

const registered = new Set(
  ERROR_CODES.flatMap(({ code, families }) => families.map((family) => `${family} ${code}`)),
);

describe('the registry of error codes', () => {
  test('knows every code that is thrown, with its family', () => {
    expect([...thrown()].filter((entry) => !registered.has(entry))).toEqual([]);
  });

  test('has none that nobody throws', () => {
    const used = thrown();
    expect([...registered].filter((entry) => !used.has(entry))).toEqual([]);
  });

  test('has each code once, in snake case, with something to do', () => {
    const codes = ERROR_CODES.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const { code, meaning, whatToDo } of ERROR_CODES) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(meaning).toMatch(/\.$/);
      expect(whatToDo).toMatch(/\.$/);
    }
  });

  test.each(Object.entries(FAMILIES))('%s has the exit code of its class', (family, { exitCode }) => {
    const Family = (
      errors as unknown as Record<string, new (code: string, text: string) => { exitCode: number }>
    )[family as ErrorFamily];
    expect(new (Family as NonNullable<typeof Family>)('x', 'y').exitCode).toBe(exitCode);
  });
});
