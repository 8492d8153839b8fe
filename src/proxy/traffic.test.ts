import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from './options.ts';
import type { Session } from './session.ts';
import type { SessionMover } from './session-mover.ts';
import { Traffic } from './traffic.ts';

interface Fake {
  server: { side: string };
  standby: { connection: { isClosed: boolean } };
}

test('a session whose standby is lost while others are released before it gets another one', async () => {
  const movedToLost: Fake[] = [];
  const fake = (more: object) => {
    const session = {
      isHeld: true,
      server: { side: 'source' },
      standby: { connection: { isClosed: false } },
      hold: () => undefined,
      release: () => undefined,
      untilIdle: async () => undefined,
      moveTo(standby: Fake['standby']) {
        if (standby.connection.isClosed) movedToLost.push(session);
        session.server = { side: 'target' };
      },
      ...more,
    };
    return session;
  };
  const mover = {
    policy: 'refuse',
    isReady: ({ standby, server }: Fake, side: string) =>
      server.side === side || !standby.connection.isClosed,
    makeReady: async (session: Fake) => {
      session.standby = { connection: { isClosed: false } };
    },
  };
  const traffic = new Traffic({
    limits: DEFAULT_LIMITS,
    mover: mover as unknown as SessionMover,
    askActiveSide: async () => undefined,
    saveDirection: () => undefined,
  });
  traffic.decided({ side: 'source', epoch: 0 });
  const last = fake({ waitingSinceMs: 3 });
  const lose = () => {
    last.standby = { connection: { isClosed: true } };
  };
  const first = fake({ waitingSinceMs: 1, release: lose });
  const others = Array.from({ length: 2 * availableParallelism() }, () => fake({ waitingSinceMs: 2 }));
  for (const session of [first, ...others, last]) traffic.add(session as unknown as Session);
  await traffic.resume({ owner: 'test', side: 'target', epoch: 1 });
  expect(last.server.side).toBe('target');
  expect(movedToLost).toEqual([]);
  traffic.sessions.clear();
  traffic.close();
});
