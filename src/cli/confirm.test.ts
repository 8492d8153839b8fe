import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandContext } from './command.ts';
import { confirm } from './confirm.ts';
import { interrupted } from './failure.ts';
import { Output } from './output.ts';

const STREAMS = ['stdin', 'stderr'] as const;
const real = STREAMS.map((name) => [name, Object.getOwnPropertyDescriptor(process, name)] as const);
let keys: PassThrough;

/** A terminal as readline sees one. */
beforeEach(() => {
  keys = new PassThrough();
  const terminal = { isTTY: true, setRawMode: () => undefined, columns: 80 };
  const streams = { stdin: keys, stderr: new PassThrough().resume() };
  for (const name of STREAMS)
    Object.defineProperty(process, name, {
      value: Object.assign(streams[name], terminal),
      configurable: true,
    });
});
afterEach(() => {
  for (const [name, property] of real) if (property) Object.defineProperty(process, name, property);
});

/** Rejects as the command would. */
function asked(stop = new AbortController()): Promise<void> {
  const output = new Output({}, {}, process);
  const context = { global: {}, output, signal: stop.signal } as unknown as CommandContext;
  return confirm(context, { what: 'This removes everything.', expected: 'shop' });
}

test('the word goes on, another one does not', async () => {
  const yes = asked();
  keys.write('shop\r');
  await yes;
  const no = asked();
  keys.write('no\r');
  await expect(no).rejects.toMatchObject({ code: 'not_confirmed', exitCode: 7 });
});

test('Ctrl-D is no answer', async () => {
  const left = asked();
  keys.write('\x04');
  await expect(left).rejects.toMatchObject({ code: 'not_confirmed' });
});

test('Ctrl-C stops as it does elsewhere', async () => {
  const stop = new AbortController();
  const onSignal = () => stop.abort(interrupted('SIGINT'));
  process.once('SIGINT', onSignal);
  const stopped = asked(stop);
  keys.write('\x03');
  await expect(stopped).rejects.toMatchObject({ code: 'interrupted', exitCode: 10 });
});
