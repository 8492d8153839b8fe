import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../../src/base/package-root.ts';

const ROW = /^\| (\d+) \| [^|]+ \| (works|found|stops) \| [^|]+ \| \[([^\]]+)\]\(\.\.\/\3\) \|$/gm;

const rows = [...readFileSync(packagePath('docs/cases.md'), 'utf8').matchAll(ROW)].map(
  ([, number, , file = '']) => ({ number: Number(number), file }),
);

test('the index names every case once, in order', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
});

test.each(rows)('case $number has a test of its name in $file', ({ number, file }) => {
  const title = new RegExp(`(?:test|describe|name)\\b.*['"\`].*\\bcase ${number}\\b`);
  expect(readFileSync(packagePath(file), 'utf8')).toMatch(title);
});
