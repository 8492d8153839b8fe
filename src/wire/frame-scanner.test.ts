import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frame } from './bytes.ts';
import { CAPTURE, FrameScanner, PASS, STOP, WHOLE } from './frame-scanner.ts';
import { KeptBytes } from './kept-bytes.ts';
import { ProtocolError } from './protocol-error.ts';

interface Sent {
  readonly type: string;
  readonly body: Buffer;
}

const message: fc.Arbitrary<Sent> = fc.record({
  type: fc.constantFrom('Q', 'P', 'D', 'Z', 'd'),
  body: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});
const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 50 });

/** The stream in pieces of the given sizes, over and over. */
function chunks(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    pieces.push(stream.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** Feeds the scanner as a session does: what was not passed on comes again before the next chunk. */
function follow(
  pieces: readonly Buffer[],
  captures: ReadonlySet<string>,
  wholes: ReadonlySet<string> = new Set(),
) {
  const scanner = new FrameScanner();
  const headers: string[] = [];
  const bodies: Sent[] = [];
  const passed: Buffer[] = [];
  const rest = new KeptBytes();
  for (const piece of pieces) {
    rest.add(piece);
    if (rest.length < scanner.wanted) continue;
    const bytes = rest.take();
    const end = scanner.scan(bytes, 0, {
      header: (type, bodyBytes) => {
        const letter = String.fromCharCode(type);
        headers.push(`${letter}${bodyBytes}`);
        if (wholes.has(letter)) return WHOLE;
        return captures.has(letter) ? CAPTURE : PASS;
      },
      body: (type, source, start, stop) => {
        bodies.push({ type: String.fromCharCode(type), body: Buffer.from(source.subarray(start, stop)) });
      },
    });
    passed.push(bytes.subarray(0, end));
    rest.add(bytes.subarray(end));
  }
  return { headers, bodies, passed: Buffer.concat(passed), rest, atBoundary: scanner.atBoundary };
}

describe('the frame scanner, under any chunking,', () => {
  test('sees every header once, captures whole bodies and passes every byte on', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), cuts, (messages, sizes) => {
        const stream = Buffer.concat(messages.map(({ type, body }) => frame(type, body)));
        const seen = follow(chunks(stream, sizes), new Set(['P', 'Z']), new Set(['D']));
        expect(seen.headers).toEqual(messages.map(({ type, body }) => `${type}${body.length}`));
        expect(seen.bodies).toEqual(messages.filter(({ type }) => 'PZD'.includes(type)));
        expect(seen.passed.equals(stream)).toBe(true);
        expect(seen.atBoundary).toBe(true);
      }),
    );
  });

  test('keeps an incomplete header back', () => {
    fc.assert(
      fc.property(message, fc.integer({ min: 1, max: 4 }), cuts, ({ type, body }, bytes, sizes) => {
        const whole = frame(type, body);
        const seen = follow(chunks(Buffer.concat([whole, whole.subarray(0, bytes)]), sizes), new Set());
        expect(seen.passed.equals(whole)).toBe(true);
        expect(seen.rest.length).toBe(bytes);
      }),
    );
  });

  test('stops before the message it is told to', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 10 }), fc.nat(), (messages, pick) => {
        const stopAt = pick % messages.length;
        const scanner = new FrameScanner();
        let index = 0;
        const stream = Buffer.concat(messages.map(({ type, body }) => frame(type, body)));
        const end = scanner.scan(stream, 0, {
          header: () => (index++ === stopAt ? STOP : PASS),
          body: () => undefined,
        });
        const before = messages.slice(0, stopAt).reduce((sum, { body }) => sum + 5 + body.length, 0);
        expect(end).toBe(before);
        expect(scanner.atBoundary).toBe(true);
      }),
    );
  });

  test('refuses impossible lengths and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 5, maxLength: 200 }), (bytes) => {
        const hostile = Buffer.from(bytes);
        const length = hostile.readInt32BE(1);
        const scan = () =>
          new FrameScanner().scan(hostile.subarray(0, 5), 0, { header: () => PASS, body: () => undefined });
        if (length < 4 || length > 0x3fffffff) expect(scan).toThrow(ProtocolError);
        else expect(scan).not.toThrow();
      }),
    );
  });
});
