import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { addFingerprints, fingerprintPart } from './fingerprint.ts';
import { fingerprintTable } from './fingerprint-table.ts';
import type { HeapPart } from './heap-part.ts';

const ROWS = {
  columns: [{ name: 'id', form: { send: 'int8send' }, isChar: false } as const],
  method: { kind: 'record', recode: false } as const,
  bits: 64 as const,
};
const part = (fromBlock: number, toBlock?: number): HeapPart => ({
  heap: { schema: 'public', name: 't' },
  fromBlock,
  toBlock,
});

test('the fingerprints of parts add up to the table’s, wherever it is cut', async ({ source }) => {
  await source.exec('CREATE TABLE t (id bigint); INSERT INTO t SELECT generate_series(1, 5000)');
  const whole = await fingerprintPart(source.connection, part(0), ROWS);
  expect(whole.rows).toBe(5000);
  for (const cut of [1, 7, 1000]) {
    const [head, tail] = [
      await fingerprintPart(source.connection, part(0, cut), ROWS),
      await fingerprintPart(source.connection, part(cut), ROWS),
    ];
    expect(addFingerprints(head, tail)).toEqual(whole);
  }
});

/** Two rows that differ only in which of them has what: every column by itself adds up to the same. */
const SWAPPED: readonly (readonly [columns: string, here: string, there: string])[] = [
  ['a int, b int', '(1, 10), (2, 20)', '(1, 20), (2, 10)'],
  ['a int, b text', "(0, NULL), (NULL, '')", "(NULL, NULL), (0, '')"],
  ['a text, b text', "('', NULL), (NULL, '')", "('', ''), (NULL, NULL)"],
  ['a text, b text', "('ab', 'c'), ('x', 'y')", "('a', 'bc'), ('x', 'y')"],
  ['a int, b bigint, c numeric', '(1, 10, 1.5), (2, 20, 2.5)', '(1, 20, 1.5), (2, 10, 2.5)'],
  ['b bigint, c numeric', '(10, 1.5), (20, 2.5)', '(20, 1.5), (10, 2.5)'],
];

test.for(SWAPPED)(
  'rows of %s that swapped values do not pass for each other',
  async (swapped, { source, target }) => {
    const [columns, here, there] = swapped;
    await source.exec(`CREATE TABLE t (${columns}); INSERT INTO t VALUES ${here}`);
    await target.exec(`CREATE TABLE t (${columns}); INSERT INTO t VALUES ${there}`);
    const table = { schema: 'public', name: 't', isPartitioned: false, columns: names(columns) };
    for (const bits of [64, 128] as const) {
      const [one, other] = await Promise.all(
        [source, target].map(({ connection }) =>
          fingerprintTable(connection, table, { method: ROWS.method, bits }),
        ),
      );
      expect(one?.rows).toBe(other?.rows);
      expect(one?.fingerprint).not.toBe(other?.fingerprint);
    }
  },
);

const names = (columns: string) => columns.split(', ').map((column) => column.split(' ')[0] ?? '');

test('more columns than are chained, and more than one mask holds', async ({ source }) => {
  const all = Array.from({ length: 90 }, (_, n) => `c${n}`);
  await source.exec(
    `CREATE TABLE t (${all.map((name) => `${name} int`).join(', ')}); INSERT INTO t (c0) VALUES (1)`,
  );
  const table = { schema: 'public', name: 't', isPartitioned: false, columns: all };
  const look = () => fingerprintTable(source.connection, table, { method: ROWS.method, bits: 64 });
  const seen = new Set([(await look()).fingerprint]);
  for (const name of ['c29', 'c30', 'c59', 'c60', 'c89']) {
    await source.exec(`UPDATE t SET ${name} = 0`);
    seen.add((await look()).fingerprint);
  }
  expect(seen.size).toBe(6);
});
