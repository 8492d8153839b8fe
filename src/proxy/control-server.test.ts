/** The control socket is one proxy's: another of the same folder does not take it, and takes nothing along when it goes. */

import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Controlled, startControlServer } from './control-server.ts';
import { listen } from './listen.ts';

const folderOfOurs = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-control-'));
  return { path: join(folder, 'control'), [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
};

const named = (metrics: string) => ({ metrics: () => metrics }) as unknown as Controlled;

const whoAnswers = (socketPath: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path: '/metrics', agent: false }, async (response) => {
      const parts = [];
      for await (const part of response) parts.push(String(part));
      resolve(parts.join(''));
    });
    request.on('error', reject);
  });

test('a second one is refused, and the first goes on answering', async () => {
  await using folder = await folderOfOurs();
  const first = await startControlServer({ unixPath: folder.path }, named('first'));
  await expect(startControlServer({ unixPath: folder.path }, named('second'))).rejects.toMatchObject({
    code: 'control_taken',
    exitCode: 2,
  });
  expect(await whoAnswers(folder.path)).toBe('first');
  await first.close();
  expect(existsSync(folder.path)).toBe(false);
});

test('what a killed one has left is taken over', async () => {
  await using folder = await folderOfOurs();
  const killed = net.createServer().listen(`${folder.path}.killed`);
  await new Promise((resolve) => killed.once('listening', resolve));
  renameSync(`${folder.path}.killed`, folder.path);
  await new Promise((resolve) => killed.close(resolve));
  expect(existsSync(folder.path)).toBe(true);
  const next = await startControlServer({ unixPath: folder.path }, named('next'));
  expect(await whoAnswers(folder.path)).toBe('next');
  await next.close();
});

test('one whose socket was taken away leaves the next one’s alone', async () => {
  await using folder = await folderOfOurs();
  const first = await startControlServer({ unixPath: folder.path }, named('first'));
  await rm(folder.path);
  const next = await startControlServer({ unixPath: folder.path }, named('next'));
  await first.close();
  expect(await whoAnswers(folder.path)).toBe('next');
  await next.close();
});

test('a file that is no socket is nobody’s to replace', async () => {
  await using folder = await folderOfOurs();
  writeFileSync(folder.path, 'of the user');
  await expect(startControlServer({ unixPath: folder.path }, named('first'))).rejects.toMatchObject({
    code: 'control_taken',
  });
  expect(existsSync(folder.path)).toBe(true);
});

test('an address that cannot be listened on is no bug of ours', async () => {
  await using folder = await folderOfOurs();
  const unusable = { code: 'cannot_listen', exitCode: 2, hint: expect.stringContaining('--control') };
  const inNoFolder = { unixPath: join(folder.path, 'none', 'control') };
  await expect(startControlServer(inNoFolder, named('first'))).rejects.toMatchObject(unusable);
  const first = await listen({ host: '127.0.0.1', port: 0 }, () => undefined);
  const same = { host: '127.0.0.1', port: first.port };
  await expect(startControlServer(same, named('second'))).rejects.toMatchObject(unusable);
  await expect(listen(same, () => undefined)).rejects.toMatchObject({
    ...unusable,
    hint: expect.stringContaining('--listen'),
  });
  await first.close();
});
