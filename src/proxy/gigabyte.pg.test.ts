/** The largest messages there are: a value of a gigabyte as a parameter, and the same value as a row. */

import { once } from 'node:events';
import type net from 'node:net';
import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { startProxyBed } from '../../test/support/proxy-bed.ts';
import { cstring, frame, int16, int32 } from '../wire/bytes.ts';
import { execute, sync } from '../wire/frontend.ts';

/** PostgreSQL stops at 1,073,741,823, with all that is around a value. */
const VALUE_BYTES = 1_000_000_000;
const PIECE = Buffer.alloc(1_000_000, 0x79);
const BINARY = int16(1);

/** Everything of a Bind but the value itself and what follows it. */
function bindHead(): Buffer {
  const names = Buffer.concat([cstring(''), cstring('')]);
  const head = Buffer.concat([names, int16(1), BINARY, int16(1), int32(VALUE_BYTES)]);
  return Buffer.concat([Buffer.from('B'), int32(4 + head.length + VALUE_BYTES + 4), head]);
}

test('pass in both directions without being held in memory', async ({ source, target }) => {
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const { stream } = (client as unknown as { connection: { stream: net.Socket } }).connection;
  stream.removeAllListeners('data');
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 20);
  let received = 0;
  let others = 0;
  const answered = new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
      const isValue = chunk.length <= PIECE.length && chunk.equals(PIECE.subarray(0, chunk.length));
      if (!isValue) others += 1;
      // ReadyForQuery: the value itself holds no such byte.
      if (chunk.at(-6) === 0x5a && chunk.at(-1) === 0x49) resolve();
    });
  });
  stream.write(frame('P', cstring(''), cstring('SELECT $1::bytea'), int16(0)));
  stream.write(bindHead());
  for (let sent = 0; sent < VALUE_BYTES; sent += PIECE.length) {
    if (!stream.write(PIECE)) await once(stream, 'drain');
  }
  stream.write(Buffer.concat([int16(1), BINARY, execute(), sync()]));
  await answered;
  clearInterval(watch);
  const around = 'ParseComplete BindComplete'.split(' ').length * 5 + (5 + 2 + 4) + (5 + 9) + 6;
  expect(received).toBe(VALUE_BYTES + around);
  // The first chunks and the last ones hold the messages around the value.
  expect(others).toBeLessThan(8);
  expect(peak - before).toBeLessThan(100_000_000);
  await client.end().catch(() => undefined);
});
