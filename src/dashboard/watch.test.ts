import { expect, test } from 'vitest';
import { statusOf } from '../../test/fixtures/migration-status.ts';
import type { Phase } from '../domain/phase.ts';
import type { Facts, Known, Seen } from './facts.ts';
import { Watch } from './watch.ts';

const TIMES = { lookEveryMs: 5, lingerMs: 10 };

class FakeFacts implements Facts {
  looks: Known[] = [];
  rests = 0;
  running = 0;
  atOnce = 0;
  failure: Error | undefined;
  phase: Phase = 'following';
  journal: Seen['journal'] = [];
  /** Servers take their time to answer. */
  looking: Promise<void> = Promise.resolve();
  /** Sessions take their time to close. */
  resting: Promise<void> = Promise.resolve();

  async look(known: Known): Promise<Seen> {
    this.looks.push(known);
    this.running += 1;
    this.atOnce = Math.max(this.atOnce, this.running);
    await new Promise((resolve) => setImmediate(resolve));
    await this.looking;
    this.running -= 1;
    if (this.failure !== undefined) throw this.failure;
    const journal = this.journal.filter(({ id }) => id > known.afterEventId);
    return { status: statusOf({ phase: this.phase }), tables: known.withTables ? [] : undefined, journal };
  }

  async rest(): Promise<void> {
    this.rests += 1;
    await this.resting;
  }
}

const entry = (id: number) => ({
  id,
  event: { type: 'warning', at: '2026-01-01T00:00:00.000Z', data: { code: 'x', message: `${id}` } },
});
const entries = (...ids: number[]) => ids.map(entry) as Seen['journal'];

test('nobody looks while there is no reader, and the sessions are closed when the last has gone', async () => {
  const facts = new FakeFacts();
  await using watch = new Watch(facts, TIMES);
  expect(facts.looks).toEqual([]);
  const reader = watch.join();
  await watch.next();
  await watch.next();
  reader[Symbol.dispose]();
  await expect.poll(() => facts.rests).toBe(1);
  const { length } = facts.looks;
  // That nothing comes any more is no fact to wait for: it is given the time of ten looks.
  await new Promise((resolve) => setTimeout(resolve, 10 * TIMES.lookEveryMs));
  expect(facts.looks).toHaveLength(length);
});

test('many readers share one look at a time', async () => {
  const facts = new FakeFacts();
  await using watch = new Watch(facts, TIMES);
  const readers = Array.from({ length: 20 }, () => watch.join());
  let rounds = 0;
  while (rounds++ < 5) await Promise.all(readers.map(() => watch.next()));
  expect(facts.atOnce).toBe(1);
  expect(facts.looks.length).toBeLessThanOrEqual(7);
  for (const reader of readers) reader[Symbol.dispose]();
});

test('a failure is told with what was last seen, and forgotten when the servers are back', async () => {
  const facts = new FakeFacts();
  await using watch = new Watch(facts, TIMES);
  using _ = watch.join();
  await expect.poll(() => watch.snapshot.status?.phase).toBe('following');
  facts.failure = new Error('the source is away');
  await expect.poll(() => watch.snapshot.problem).toBe('the source is away');
  expect(watch.snapshot.status?.phase).toBe('following');
  // Sessions that are broken are not used again.
  expect(facts.rests).toBeGreaterThan(0);
  facts.failure = undefined;
  await expect.poll(() => watch.snapshot.problem).toBeUndefined();
});

test('the journal is asked for only from where it is known, and begins anew after an abort', async () => {
  const facts = new FakeFacts();
  facts.journal = entries(1, 2);
  await using watch = new Watch(facts, TIMES);
  using _ = watch.join();
  await expect.poll(() => watch.snapshot.journal.map(({ id }) => id)).toEqual([1, 2]);
  await expect.poll(() => facts.looks.at(-1)).toEqual({ afterEventId: 1, withTables: false });
  facts.journal = entries(1, 2, 3);
  await expect.poll(() => watch.snapshot.journal.map(({ id }) => id)).toEqual([1, 2, 3]);
  facts.phase = 'new';
  facts.journal = [];
  await expect.poll(() => watch.snapshot.journal).toEqual([]);
  facts.phase = 'syncing';
  facts.journal = entries(1);
  await expect.poll(() => watch.snapshot.journal.map(({ id }) => id)).toEqual([1]);
  expect(watch.snapshot.journalVersion).toBe(1);
});

test('a journal that began anew between two looks is not taken for the rest of the one before', async () => {
  const facts = new FakeFacts();
  facts.journal = entries(1, 2);
  await using watch = new Watch(facts, TIMES);
  using _ = watch.join();
  await expect.poll(() => watch.snapshot.journal).toEqual(facts.journal);
  facts.journal = entries(1, 2, 3).map(({ id, event }) => ({
    id,
    event: { ...event, at: '2026-01-02T00:00:00.000Z' },
  }));
  await expect.poll(() => watch.snapshot.journal).toEqual(facts.journal);
  expect(watch.snapshot.journalVersion).toBe(1);
});

test('those who ask once get an answer that is fresh', async () => {
  const facts = new FakeFacts();
  // However long the first look takes.
  facts.looking = new Promise((resolve) => setTimeout(resolve, 10 * TIMES.lookEveryMs));
  await using watch = new Watch(facts, TIMES);
  expect((await watch.latest()).status?.phase).toBe('following');
});

test('who comes while the sessions are being closed is not forgotten', async () => {
  const facts = new FakeFacts();
  await using watch = new Watch(facts, TIMES);
  let closed: () => void = () => undefined;
  facts.resting = new Promise((resolve) => {
    closed = resolve;
  });
  await watch.latest();
  await expect.poll(() => facts.rests).toBe(1);
  const late = watch.latest();
  const { length } = facts.looks;
  closed();
  expect((await late).status?.phase).toBe('following');
  expect(facts.looks.length).toBeGreaterThan(length);
});
