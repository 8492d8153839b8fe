import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UnexpectedError } from '../domain/errors.ts';
import type { MigrationEvent } from '../domain/event.ts';
import type { Cluster } from './cluster.ts';
import { JobEvents } from './job-events.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const CHANGED = {
  type: 'phase-changed',
  at: '2026-11-22T06:00:00Z',
  data: { from: 'new', to: 'syncing' },
} as unknown as MigrationEvent;

/** An API server behind a network that swallows everything: `answer` lets the calls end. */
function swallowed() {
  const calls: string[] = [];
  const warnings: string[] = [];
  let answer: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const call = (what: string) => () => {
    calls.push(what);
    return gate;
  };
  const cluster = { create: call('event'), apply: call('lease') } as unknown as Cluster;
  const job = { name: 'j', uid: 'u', namespace: 'n', pod: 'p' };
  const events = new JobEvents(cluster, job, { migration: 'm', warn: (text) => warnings.push(text) });
  return { events, calls, warnings, answer: () => answer() };
}

test('an API server that does not answer keeps no command from its end', async () => {
  const { events, warnings } = swallowed();
  events.onEvent(CHANGED);
  const closed = events.close();
  await vi.advanceTimersByTimeAsync(10_000);
  await closed;
  expect(warnings).toEqual([expect.stringContaining('does not take our Events or Lease')]);
});

test('what a command ends with is no longer than the API server takes, in bytes', async () => {
  const created: { message: string }[] = [];
  const cluster = { create: async (event: { message: string }) => created.push(event) } as unknown as Cluster;
  const job = { name: 'j', uid: 'u', namespace: 'n', pod: 'p' };
  const events = new JobEvents(cluster, job, { migration: 'm', warn: () => undefined });
  events.onFailure(new UnexpectedError('unexpected', 'ü'.repeat(1000)));
  await events.close();
  expect(created.map(({ message }) => Buffer.byteLength(message))).toEqual([1024]);
});

test('renewals of the Lease do not pile up behind a call that does not end', async () => {
  const { events, calls, answer } = swallowed();
  events.onEvent(CHANGED);
  await vi.advanceTimersByTimeAsync(3_600_000);
  answer();
  const closed = events.close();
  await vi.advanceTimersByTimeAsync(0);
  await closed;
  expect(calls).toEqual(['event', 'lease']);
});
