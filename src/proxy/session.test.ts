import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RecentStatements } from './recent-statements.ts';
import { Session } from './session.ts';

test('what a client says before it has a server is kept for it, also where a pause ends meanwhile', async () => {
  const socket = new PassThrough();
  socket.pause();
  const client = {
    kind: 'client',
    socket: socket as unknown as Socket,
    unread: Buffer.alloc(0),
    parameters: new Map(),
    user: 'u',
    database: 'd',
    credential: { password: 'p' },
  } as const;
  const events = { closed: () => undefined, mayLoseServer: () => false, leftRunning: () => undefined };
  const session = new Session(1, client, events, new RecentStatements());
  session.hold();
  session.release();
  socket.write('early');
  await setImmediate();
  expect(socket.read()?.toString()).toBe('early');
});
