import { expect, test } from 'vitest';
import { lsnDistanceBytes, lsnToBigInt } from './lsn.ts';

test('an LSN is a 64-bit position, not a text', () => {
  expect(lsnToBigInt('0/0')).toBe(0n);
  expect(lsnToBigInt('1/0')).toBe(1n << 32n);
  expect(lsnDistanceBytes('0/FFFFFFFF', '1/0')).toBe(1);
  expect(lsnDistanceBytes('A/10', '9/10')).toBe(-(2 ** 32));
});

test('what is no LSN is refused', () => {
  for (const text of ['', '0', '0/', '0/G', '1/2/3', '123456789/0'])
    expect(() => lsnToBigInt(text)).toThrow(RangeError);
});
