import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cstring, int16, int32 } from './bytes.ts';
import { exchangeInDefinition, exchangeInRowDescription, exchangeInTypeList } from './type-oids.ts';

const oids = new Map([
  [16400, 20000],
  [16401, 20001],
]);
const column = (name: string, type: number) =>
  Buffer.concat([cstring(name), int32(16400), int16(1), int32(type), int16(-1), int32(-1), int16(0)]);
const row = (first: number, second: number) =>
  Buffer.concat([int16(3), column('a', first), column('', 23), column('é', second)]);

test('column types are exchanged, and nothing else', () => {
  const padded = Buffer.concat([int32(16400), row(16400, 16401), int32(16400)]);
  exchangeInRowDescription(padded, 4, padded.length - 4, oids);
  expect(padded).toEqual(Buffer.concat([int32(16400), row(20000, 20001), int32(16400)]));
});

test('parameter types are exchanged', () => {
  const body = Buffer.concat([int16(2), int32(16401), int32(25)]);
  exchangeInTypeList(body, 0, body.length, oids);
  expect(body).toEqual(Buffer.concat([int16(2), int32(20001), int32(25)]));
});

test('a definition without types stays the very same', () => {
  const plain = Buffer.concat([cstring('SELECT 1'), int16(0)]);
  expect(exchangeInDefinition(plain, oids)).toBe(plain);
  const typed = Buffer.concat([cstring('SELECT $1'), int16(1), int32(16400)]);
  expect(exchangeInDefinition(typed, oids)).toEqual(
    Buffer.concat([cstring('SELECT $1'), int16(1), int32(20000)]),
  );
  expect(typed.readInt32BE(typed.length - 4)).toBe(16400);
});

/** Bytes in which OIDs of the map are likely, with something before and behind that is none of its business. */
const body = fc
  .array(
    fc.oneof(fc.constant([0, 0, 0x40, 0x10]), fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 5 })),
  )
  .map((parts) => Buffer.from(parts.flat()));

test.each([
  ['columns', exchangeInRowDescription],
  ['types', exchangeInTypeList],
])('%s: whatever the body holds, it ends, and touches no other byte', (_, exchangeIn) => {
  fc.assert(
    fc.property(body, (bytes) => {
      const edge = Buffer.alloc(8, 0x40);
      const padded = Buffer.concat([edge, bytes, edge]);
      exchangeIn(padded, 8, 8 + bytes.length, oids);
      expect(padded.subarray(0, 8)).toEqual(edge);
      expect(padded.subarray(8 + bytes.length)).toEqual(edge);
    }),
  );
});
