import { expect, test } from 'vitest';
import { copyInStatements, copyOutStatement } from './copy-statements.ts';
import type { CopyPart } from './parts.ts';

const heap = { schema: 'public', name: 'a "b"', bytes: 5e6, blocks: 600 };
const part: CopyPart = {
  id: '',
  table: {
    schema: 'public',
    name: 'a "b"',
    isPartitioned: false,
    columns: ['id', 'Odd "One"'],
    heaps: [heap],
    rowEstimate: 1,
    replicaIdentity: 'default',
  },
  heap,
  format: 'binary',
  bytes: 5e6,
};
const utf8 = { encoding: 'UTF8' };
const inTexts = (of: CopyPart) => copyInStatements(of, utf8).map((statement) => statement.text);

test('a whole heap is named, and stored frozen', () => {
  expect(copyOutStatement(part, utf8).text).toBe(
    'COPY "public"."a ""b""" ("id", "Odd ""One""") TO STDOUT (FORMAT binary)',
  );
  expect(inTexts(part)).toEqual([
    'TRUNCATE ONLY "public"."a ""b"""',
    'COPY "public"."a ""b""" ("id", "Odd ""One""") FROM STDIN (FORMAT binary, FREEZE)',
  ]);
});

test('a range is selected by row address and stored beside the others', () => {
  const range = { ...part, blocks: { from: 10, to: 20 } };
  expect(copyOutStatement(range, utf8).text).toBe(
    'COPY (SELECT "id", "Odd ""One""" FROM ONLY "public"."a ""b"""' +
      ` WHERE ctid >= '(10,0)'::pg_catalog.tid AND ctid < '(20,0)'::pg_catalog.tid) TO STDOUT (FORMAT binary)`,
  );
  expect(copyOutStatement({ ...part, blocks: { from: 20 } }, utf8).text).not.toContain('ctid <');
  expect(inTexts(range)).toHaveLength(1);
});

test('small tables and leaves of a tree are not emptied first', () => {
  expect(inTexts({ ...part, bytes: 8192 })).toHaveLength(1);
  expect(inTexts({ ...part, table: { ...part.table, isPartitioned: true } })).toHaveLength(1);
});

test('text format says which encoding it is in', () => {
  expect(copyOutStatement({ ...part, format: 'text' }, { encoding: 'LATIN1' }).text).toContain(
    "(FORMAT text, ENCODING 'LATIN1')",
  );
});

test('a column that is mostly padding is selected without it, in a whole heap too', () => {
  expect(copyOutStatement({ ...part, unpadded: ['Odd "One"'] }, utf8).text).toBe(
    'COPY (SELECT "id", pg_catalog.rtrim(pg_catalog.bpcharsend("Odd ""One"""), \'\\x20\'::pg_catalog.bytea)' +
      ' FROM ONLY "public"."a ""b""") TO STDOUT (FORMAT binary)',
  );
});
