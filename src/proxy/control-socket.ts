/** The control socket is one proxy's: another would answer for clients that it does not have. */

import { chmodSync, lstatSync, renameSync, rmSync, type Stats } from 'node:fs';
import net from 'node:net';
import { UsageError } from '../domain/errors.ts';

/** What a killed proxy has left is nobody's. @throws {UsageError} `control_taken` */
export async function refuseTaken(path: string): Promise<void> {
  const there = statsOf(path);
  if (there === undefined) return;
  if (!there.isSocket()) throw taken(`${path} is there and no socket`);
  if (await isListenedOn(path)) throw taken(`A proxy answers at unix:${path} already`);
}

const taken = (message: string): UsageError =>
  new UsageError('control_taken', message, {
    hint: 'Two proxies need two of them: give another with --control (proxy.control), and name both in traffic.proxies.',
  });

const statsOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

/** Also one that we may not talk to, or that is too busy to answer. */
function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}

/**
 * Node removes at its end whatever is at the path that it bound. It binds another one, and the socket moves: so nobody
 * finds it before its permissions are set, and the next proxy's stays.
 * @returns what takes it away
 */
export async function bindSocket(path: string, listen: (path: string) => Promise<void>): Promise<() => void> {
  await refuseTaken(path);
  const temporary = `${path}.${process.pid}`;
  rmSync(temporary, { force: true });
  await listen(temporary);
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
  const { ino } = lstatSync(path);
  return () => {
    if (statsOf(path)?.ino === ino) rmSync(path, { force: true });
  };
}
