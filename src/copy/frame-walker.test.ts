import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameWalker } from './frame-walker.ts';

interface Frame {
  readonly code: string;
  readonly body: Uint8Array;
}

function encode({ code, body }: Frame): Buffer {
  const frame = Buffer.alloc(5 + body.length);
  frame.write(code, 0, 'latin1');
  frame.writeUInt32BE(4 + body.length, 1);
  frame.set(body, 5);
  return frame;
}

function walk(chunks: readonly Buffer[]) {
  const seen = { copy: [] as Buffer[], other: [] as Buffer[], ready: [] as Buffer[], rows: 0, dones: 0 };
  const walker = new FrameWalker({
    onCopyData: (bytes, frames) => {
      seen.copy.push(bytes);
      seen.rows += frames;
    },
    onCopyDone: (bytes) => {
      seen.copy.push(bytes);
      seen.dones += bytes[0] === 0x63 ? 1 : 0;
    },
    onOther: (bytes) => seen.other.push(bytes),
    onReady: (bytes) => seen.ready.push(bytes),
  });
  for (const chunk of chunks) {
    walker.walk(chunk);
    if (seen.ready.length > 0) break;
  }
  return seen;
}

/** Buffers are compared slowly, and shown byte by byte. */
const hex = (bytes: Buffer): string => bytes.toString('hex');

/** What a server reads: the rows' bytes between the ends of the COPYs, whatever frames they came in. */
function copied(stream: Buffer): Buffer[] {
  const copies = [Buffer.alloc(0)];
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + stream.readUInt32BE(at + 1);
    if (end > stream.length) throw new RangeError('A frame is cut');
    if (stream[at] === 0x63) copies.push(Buffer.alloc(0));
    else copies.push(Buffer.concat([copies.pop() ?? Buffer.alloc(0), stream.subarray(at + 5, end)]));
    at = end;
  }
  return copies;
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((n) => n % bytes.length))].sort((a, b) => a - b);
  return [0, ...at].map((start, index) => Buffer.from(bytes.subarray(start, at[index] ?? bytes.length)));
}

const frames = fc.array(
  fc.record({
    code: fc.constantFrom('d', 'd', 'd', 'c', 'H', 'C', 'S', 'N'),
    body: fc.oneof(
      { arbitrary: fc.uint8Array({ maxLength: 40 }), weight: 30 },
      { arbitrary: fc.constant(Buffer.alloc(70_000, 0x64)), weight: 1 },
    ),
  }),
  { maxLength: 30 },
);

test('however a stream is cut, rows and other frames come out whole, in order and counted', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(), { maxLength: 40 }), (list, cuts) => {
      const bytes = Buffer.concat(list.map(encode));
      const seen = walk(bytes.length === 0 ? [] : cut(bytes, cuts));
      const of = (codes: string) =>
        Buffer.concat(list.filter(({ code }) => codes.includes(code)).map(encode));
      expect(copied(Buffer.concat(seen.copy)).map(hex).join()).toBe(copied(of('dc')).map(hex).join());
      expect(hex(Buffer.concat(seen.other))).toBe(hex(of('HCSN')));
      expect(seen.rows).toBe(list.filter(({ code }) => code === 'd').length);
      expect(seen.ready).toEqual([]);
    }),
  );
});

test('the rows of a chunk travel in one frame, those too large to gain by it in their own', () => {
  const row = (length: number) => encode({ code: 'd', body: Buffer.alloc(length, 1) });
  const seen = walk([Buffer.concat([row(3), row(4), row(70_000), row(5)])]);
  expect(seen.copy.map((bytes) => [bytes.length, bytes.readUInt32BE(1)])).toEqual([
    [12, 11],
    [70_010, 70_009],
  ]);
  expect(seen.rows).toBe(4);
});

test('what begins with ReadyForQuery is left to the session, in one piece of each chunk', () => {
  const before = encode({ code: 'd', body: Buffer.from('row') });
  const ready = encode({ code: 'Z', body: Buffer.from('I') });
  const stream = Buffer.concat([before, ready]);
  for (let at = 1; at < stream.length; at++) {
    const chunks = cut(stream, [at]);
    const seen = walk(chunks);
    const walked = Buffer.concat([...seen.copy, ...seen.other, ...seen.ready]);
    expect(Buffer.concat(seen.copy)).toEqual(before);
    expect(stream.subarray(0, walked.length)).toEqual(walked);
    expect(seen.ready[0]?.[0]).toBe(0x5a);
  }
});
