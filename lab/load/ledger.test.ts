import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, describe, expect } from 'vitest';
import { type LedgerHeader, LedgerWriter, type Outcome, readLedger } from './ledger.ts';

const HEADER: LedgerHeader = {
  ledger: 1,
  run: 'abcd',
  startedAtMs: 1_000_000,
  rate: 2,
  readShare: 0.7,
  warmupMs: 0,
};
const outcome = (n: number): Outcome => ({
  n,
  atMs: n * 500,
  latencyMs: 1.5,
  status: 201,
  kind: 'append-event',
  requestId: `abcd.${n}.00`,
});

/** A closed ledger of six outcomes in three seconds. */
const test = base.extend<{ path: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants a fixture's first parameter destructured.
  path: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
    const path = join(folder, 'ledger.jsonl');
    const writer = new LedgerWriter(path, 'key', HEADER);
    for (let second = 0; second < 3; second++) {
      writer.append(outcome(second * 2));
      writer.append(outcome(second * 2 + 1));
      if (second < 2) writer.seal(second, second * 2 + 2);
    }
    writer.close(2, 6);
    await use(path);
    rmSync(folder, { recursive: true });
  },
});

const edit = (path: string, change: (lines: string[]) => string[]) =>
  writeFileSync(
    path,
    change(readFileSync(path, 'utf8').trimEnd().split('\n'))
      .map((line) => `${line}\n`)
      .join(''),
  );

describe('a ledger', () => {
  test('is read as it was written', async ({ path }) => {
    expect(await readLedger(path, 'key')).toEqual({
      header: HEADER,
      outcomes: [0, 1, 2, 3, 4, 5].map(outcome),
      sent: 6,
      closed: true,
      broken: undefined,
    });
  });

  test('of a load that was killed ends in mid-line, unbroken and not closed', async ({ path }) => {
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.slice(0, text.indexOf('"n":5') + 20));
    const ledger = await readLedger(path, 'key');
    expect(ledger).toMatchObject({ closed: false, broken: undefined, sent: 4 });
    expect(ledger.outcomes).toHaveLength(5);
  });

  const forgeries: [string, (lines: string[]) => string[]][] = [
    [
      'a status is changed',
      (lines) => lines.map((line) => (line.includes('"n":2,') ? line.replace('201', '500') : line)),
    ],
    ['an outcome is taken out', (lines) => lines.filter((line) => !line.includes('"n":2,'))],
    ['an outcome is added', (lines) => lines.toSpliced(2, 0, JSON.stringify(outcome(9)))],
    ['two outcomes change places', (lines) => [lines[0], lines[2], lines[1], ...lines.slice(3)].map(String)],
    ['a second is taken out with its seal', (lines) => lines.toSpliced(4, 3)],
    ['the header is changed', (lines) => lines.map((line) => line.replace('"rate":2', '"rate":1'))],
    ['something follows its end', (lines) => [...lines, JSON.stringify(outcome(6))]],
    ['a line in the middle is garbage', (lines) => lines.toSpliced(2, 0, '{"n":')],
  ];
  test.for(forgeries)('is broken when %s', async ([, change], { path }) => {
    edit(path, change);
    expect((await readLedger(path, 'key')).broken).toMatch(/^line \d+ /);
  });

  test('cannot be checked, or forged, with another key', async ({ path }) => {
    expect((await readLedger(path, 'other')).broken).toBeDefined();
  });
});
