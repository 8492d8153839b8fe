import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checksMarkdown } from './checks-markdown.ts';
import { rules } from './preflight.ts';

test('docs/checks.md is what the rules say', () => {
  expect(readFileSync(new URL('../../../docs/checks.md', import.meta.url), 'utf8')).toBe(checksMarkdown());
});

test('every rule has an id of its own, in order, and a background', () => {
  const ids = rules.map((rule) => rule.id);
  expect(ids).toEqual([...new Set(ids)].sort());
  for (const { id, background } of rules) {
    expect(id).toMatch(/^PGG[12]\d\d$/);
    expect(background.length, id).toBeGreaterThan(100);
  }
});
