import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { entryPoint } from '../base/entry-point.ts';
import { receiveFrames, sendFrame } from './framed-pipe.ts';

test('messages are put together again, however the pipe cuts them', () => {
  const sent = new PassThrough();
  sendFrame(sent, [Buffer.from('one'), Buffer.from(' message')]);
  sendFrame(sent, []);
  sendFrame(sent, [Buffer.from('another')]);
  const bytes = sent.read() as Buffer;
  for (const size of [1, 3, 7, bytes.length]) {
    const pipe = new PassThrough();
    const received: string[] = [];
    receiveFrames(pipe, (frame) => received.push(Buffer.from(frame).toString()));
    for (let at = 0; at < bytes.length; at += size) pipe.emit('data', bytes.subarray(at, at + size));
    expect(received).toEqual(['one message', '', 'another']);
  }
});

test('a program whose parent is gone ends', async () => {
  const { file } = entryPoint('src/schema/wasm-pg-dump-program');
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), file], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  (child.stdio[3] as Duplex).destroy();
  expect(await ended).toBe(1);
});
