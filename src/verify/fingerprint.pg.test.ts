import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { addFingerprints, fingerprintPart } from './fingerprint.ts';
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
