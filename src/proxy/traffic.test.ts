import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { until } from '../base/async.ts';
import { DEFAULT_LIMITS } from './options.ts';
import type { Session } from './session.ts';
import type { SessionMover } from './session-mover.ts';
import { Traffic } from './traffic.ts';

function trafficOnSource(mover: object): Traffic {
  const traffic = new Traffic({
    limits: DEFAULT_LIMITS,
    mover: mover as SessionMover,
    askActiveSide: async () => undefined,
    saveDirection: () => undefined,
  });
  traffic.decided({ side: 'source', epoch: 0 });
  return traffic;
}

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
  const traffic = trafficOnSource(mover);
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

test('an owner that comes back while the end of its lease waits for another one’s resume goes on holding', async () => {
  let makeReady: () => void = () => undefined;
  const readied = new Promise<void>((resolve) => {
    makeReady = resolve;
  });
  const slow = {
    isHeld: true,
    isIdle: true,
    server: { side: 'source' },
    standby: {} as object | undefined,
    hold: () => undefined,
    release: () => undefined,
    untilIdle: async () => undefined,
    moveTo() {
      slow.server = { side: 'target' };
      slow.standby = undefined;
    },
  };
  const mover = {
    policy: 'refuse',
    isReady: ({ server }: typeof slow, side: string) => server.side === side,
    makeReady: () => readied,
    settle: async () => undefined,
  };
  const traffic = trafficOnSource(mover);
  traffic.add(slow as unknown as Session);
  const other = { owner: 'other', side: 'target', epoch: 1 } as const;
  const resumed = traffic.resume(other);
  await traffic.pause({ owner: 'late', reason: 'test', leaseMs: 1, drainTimeoutMs: 1000 });
  await until('the lease', async () => (traffic.gate.isExpired('late') ? true : undefined), {
    timeoutMs: 5000,
  });
  traffic.renew({ owner: 'late', leaseMs: 60_000 });
  makeReady();
  await resumed;
  // In turn behind it.
  await traffic.resume(other);
  expect(traffic.gate.isHeldBy('late')).toBe(true);
  traffic.sessions.clear();
  traffic.close();
});

test('a connection that a pause wanted and that comes after its end is not kept', async () => {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  interface Standing {
    standby: { connection: { side: string } } | undefined;
  }
  const session = {
    isHeld: true,
    isIdle: true,
    server: { side: 'source' },
    standby: undefined as Standing['standby'],
    hold: () => undefined,
    release: () => undefined,
    untilIdle: async () => undefined,
  };
  let dropped = 0;
  const mover = {
    policy: 'refuse',
    forgetCatalogs: () => undefined,
    prepare: async () => undefined,
    isReady: () => true,
    settle: async (one: Standing) => {
      await opened;
      one.standby = { connection: { side: 'target' } };
    },
    dropLost: (one: Standing, side: string) => {
      if (one.standby?.connection.side === side) return;
      one.standby = undefined;
      dropped += 1;
    },
  };
  const traffic = trafficOnSource(mover);
  traffic.add(session as unknown as Session);
  await traffic.prepare({ owner: 'test', to: 'target', timeoutMs: 1000 });
  await traffic.pause({ owner: 'test', reason: 'test', leaseMs: 60_000, drainTimeoutMs: 1 });
  await traffic.resume({ owner: 'test', side: 'source', epoch: 0 });
  open();
  await until('the settled session', async () => (dropped > 0 ? true : undefined), { timeoutMs: 3000 });
  expect(session.standby).toBeUndefined();
  traffic.sessions.clear();
  traffic.close();
});
