import { expect, test } from 'vitest';
import { readPgoutput } from './pgoutput.ts';

const text = (value: string) => [...new TextEncoder().encode(value), 0];
const int16 = (value: number) => [value >> 8, value & 255];
const int32 = (value: number) => [...int16(value >>> 16), ...int16(value & 0xffff)];
const counted = (value: string) => [
  't'.charCodeAt(0),
  ...int32(new TextEncoder().encode(value).length),
  ...new TextEncoder().encode(value),
];
const read = (kind: string, ...bytes: number[]) =>
  readPgoutput(Uint8Array.from([kind.charCodeAt(0), ...bytes]));
const char = (letter: string) => letter.charCodeAt(0);

test('begin and commit', () => {
  expect(read('B', ...int32(0x16), ...int32(0xb374d848), ...int32(0), ...int32(1), ...int32(77))).toEqual({
    type: 'begin',
    finishLsn: '16/B374D848',
    xid: 77,
  });
  expect(
    read('C', 0, ...int32(0), ...int32(1), ...int32(0), ...int32(0xab), ...int32(0), ...int32(0)),
  ).toEqual({
    type: 'commit',
    endLsn: '0/AB',
  });
});

test('a relation with its key', () => {
  const column = (flags: number, name: string) => [flags, ...text(name), ...int32(23), ...int32(0xffffffff)];
  const bytes = [
    ...int32(16384),
    ...text('public'),
    ...text('Größe'),
    char('d'),
    ...int16(2),
    ...column(1, 'id'),
    ...column(0, 'n'),
  ];
  expect(read('R', ...bytes)).toEqual({
    type: 'relation',
    relation: {
      id: 16384,
      schema: 'public',
      name: 'Größe',
      columns: [
        { name: 'id', isKey: true },
        { name: 'n', isKey: false },
      ],
    },
  });
});

test('changes: text, NULL, what was not sent, old keys', () => {
  const tuple = [...int16(3), ...counted('1'), char('n'), char('u')];
  const after = ['1', null, undefined];
  expect(read('I', ...int32(5), char('N'), ...tuple)).toEqual({
    type: 'insert',
    relationId: 5,
    before: undefined,
    after,
  });
  expect(read('U', ...int32(5), char('K'), ...int16(1), ...counted('0'), char('N'), ...tuple)).toEqual({
    type: 'update',
    relationId: 5,
    before: ['0'],
    after,
  });
  expect(read('D', ...int32(5), char('O'), ...int16(1), ...counted(''))).toEqual({
    type: 'delete',
    relationId: 5,
    before: [''],
    after: undefined,
  });
});

test('truncate, and what is of no interest', () => {
  expect(read('T', ...int32(2), 0, ...int32(8), ...int32(9))).toEqual({
    type: 'truncate',
    relationIds: [8, 9],
  });
  expect(read('O', 1, 2, 3)).toEqual({ type: 'other' });
});

test('a message that is cut off is an error, not a wrong row', () => {
  expect(() => read('I', ...int32(5), char('N'), ...int16(1), char('t'), ...int32(100), 65)).toThrow(
    RangeError,
  );
  expect(() => read('B', 1, 2)).toThrow(RangeError);
});
