import { expect, test } from 'vitest';
import { OutputLines } from './output-lines.ts';

function linesOf(...chunks: readonly (string | Buffer)[]) {
  const told: string[] = [];
  const lines = new OutputLines((line) => told.push(line));
  for (const chunk of chunks) lines.add(Buffer.from(chunk as string), 'stdout');
  lines.end();
  return { told, last: lines.last };
}

test('lines are told whole, however they come', () => {
  const text = Buffer.from('eins\r\nzwölf\n\ndrei');
  const bytes = Array.from(text, (_, index) => text.subarray(index, index + 1));
  expect(linesOf(...bytes)).toEqual({ told: ['eins', 'zwölf', '', 'drei'], last: 'drei' });
  expect(linesOf(text)).toEqual(linesOf(...bytes));
});

test('both streams have their own lines', () => {
  const told: string[] = [];
  const lines = new OutputLines((line) => told.push(line));
  lines.add(Buffer.from('one '), 'stdout');
  lines.add(Buffer.from('bad\n'), 'stderr');
  lines.add(Buffer.from('two\n'), 'stdout');
  expect(told).toEqual(['bad', 'one two']);
});

test('nothing reaches the terminal as a control sequence', () => {
  expect(linesOf('\x1b[31mred\x07\n').told).toEqual(['?[31mred?']);
});

test('a flood is cut off, and so is a line without an end', () => {
  const { told } = linesOf(...Array.from({ length: 1000 }, () => 'y\ny\ny\n'));
  expect(told).toHaveLength(201);
  expect(told.at(-1)).toBe('(more of its output is not shown)');
  const endless = linesOf(...Array.from({ length: 1000 }, () => 'y'.repeat(65_536)), '\nafter\n');
  expect(endless.told).toEqual([`${'y'.repeat(500)}…`, 'after']);
});
