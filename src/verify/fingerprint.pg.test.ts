import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { addFingerprints, fingerprintPart } from './fingerprint.ts';
import { fingerprintTable } from './fingerprint-table.ts';
import type { HeapPart } from './heap-part.ts';

const ROWS = {
  columns: [{ name: 'id', form: { record: { send: 'int8send' } }, isChar: false } as const],
  method: { kind: 'record', recode: false } as const,
  bits: 64 as const,
};
const part = (fromBlock: number, toBlock?: number): HeapPart => ({
  heap: { schema: 'public', name: 't' },
  fromBlock,
  toBlock,
  isEmptyFile: false,
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
  ['a bigint, b bigint', '(1, 10), (2, 20)', '(1, 20), (2, 10)'],
  ['a bigint, b bigint', '(1, 2), (2, 1)', '(1, 1), (2, 2)'],
  ['a bigint, b bigint', '(0, NULL), (NULL, 0)', '(NULL, NULL), (0, 0)'],
  ['a bool, b bool', '(true, false), (false, NULL)', '(false, false), (true, NULL)'],
  ['a bool, b int', '(NULL, 1), (false, NULL)', '(false, 1), (NULL, NULL)'],
  [
    'a uuid, b bigint',
    "('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', NULL), (NULL, 1)",
    "(NULL, NULL), ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1)",
  ],
  ['a numeric(9,2), b numeric(9,2)', "(1, 'NaN'), ('NaN', 2)", "('NaN', 1), (2, 'NaN')"],
  ['a numeric(9,2), b numeric(9,2)', "(10000, 0), (3, 'NaN')", "(1, 'NaN'), (3, 0)"],
  ['a int, b numeric(9)', '(1, 1), (2, 10000)', '(1, 10000), (2, 1)'],
  ['a numeric(9)', '(1), (10001)', '(10000), (2)'],
  ['a timestamptz, b int', "('2020-01-01', 1), ('2021-01-01', 2)", "('2020-01-01', 2), ('2021-01-01', 1)"],
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

/** What differs in one value, in columns that are chained. */
const CHANGED: readonly (readonly [type: string, here: string, there: string])[] = [
  ['bigint', '0', '4294967297'],
  ['bigint', '-1', '4294967295'],
  ['bigint', '9223372036854775807', '-9223372036854775808'],
  ['bigint', '0', 'NULL'],
  ['bool', 'false', 'NULL'],
  ['bool', 'false', 'true'],
  ['uuid', "'00000000-0000-0000-0000-000000000000'", 'NULL'],
  ['text', "''", 'NULL'],
  ['numeric(12,2)', '5', '-5'],
  ['numeric(12,2)', '0', 'NULL'],
  ['numeric(12,2)', "'NaN'", '0'],
  ['numeric(12,2)', "'NaN'", 'NULL'],
  ['numeric(12,2)', '1', '10000'],
  ['numeric', '1.0', '1.00'],
  ['timestamp', "'2020-01-01'", "timestamp '2020-01-01' + interval '4294.967297 s'"],
  ['timestamp', "'2000-01-01 00:00:00.000003'", "timestamp '2000-01-01' + interval '4294.967296 s'"],
  ['timestamp', "'infinity'", "'-infinity'"],
  ['timestamp', "'294276-12-31 23:59:59.999999'", "'4714-11-24 00:00:00 BC'"],
  ['timestamp', "'4714-11-24 00:00:00.000001 BC'", "'4714-11-24 00:00:00 BC'"],
  ['timestamptz', "'2020-01-01'", "timestamptz '2020-01-01' + interval '4294.967297 s'"],
  ['timestamptz', "'1970-01-01'", "timestamptz '1970-01-01' + interval '1 microsecond'"],
  ['timestamptz', "'infinity'", 'NULL'],
  ['timestamptz', "'294276-12-31 23:59:59.999999+00'", "'4714-11-24 00:00:00+00 BC'"],
];

test.for(CHANGED)('%s: %s is not %s', async ([type, here, there], { source }) => {
  await source.exec(`CREATE TABLE t (a int, c ${type}, z int); INSERT INTO t VALUES (1, ${here}, 2)`);
  const table = { schema: 'public', name: 't', isPartitioned: false, columns: ['a', 'c', 'z'] };
  const look = async (): Promise<string> =>
    (await fingerprintTable(source.connection, table, { method: ROWS.method, bits: 64 })).fingerprint;
  const before = await look();
  await source.exec(`UPDATE t SET c = ${there}`);
  expect(await look()).not.toBe(before);
});

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
