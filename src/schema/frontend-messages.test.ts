import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitFrontendMessages } from './frontend-messages.ts';

function message(type: string, body: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}
function opening(code: number, body = ''): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(8 + body.length, 0);
  header.writeUInt32BE(code, 4);
  return Buffer.concat([header, Buffer.from(body)]);
}

/** Feeds the bytes in pieces and tells what was asked. */
function requests(bytes: Buffer, cuts: readonly number[]): string[] {
  const edges = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort(
    (a, b) => a - b,
  );
  const seen: string[] = [];
  let pending: Uint8Array = new Uint8Array(0);
  edges.slice(1).forEach((edge, index) => {
    pending = Buffer.concat([pending, bytes.subarray(edges[index], edge)]);
    for (;;) {
      const { request, rest } = splitFrontendMessages(pending);
      if (request.kind === 'incomplete') break;
      pending = rest;
      seen.push(request.kind === 'messages' ? Buffer.from(request.bytes).toString('latin1') : request.kind);
    }
  });
  return seen;
}

test('a conversation is cut the same however it arrives', () => {
  const query = message('Q', Buffer.from('SELECT 1\0'));
  const extended = Buffer.concat([message('P', Buffer.from('\0X\0\0\0')), message('S', Buffer.alloc(0))]);
  const bytes = Buffer.concat([
    opening(80877103),
    opening(80877104),
    opening(196608, 'user\0x\0\0'),
    query,
    extended,
    message('X', Buffer.alloc(0)),
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: bytes.length })), (cuts) => {
      expect(requests(bytes, cuts)).toEqual([
        'encryption',
        'encryption',
        'startup',
        query.toString('latin1'),
        extended.toString('latin1'),
        'goodbye',
      ]);
    }),
  );
});
