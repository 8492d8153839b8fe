import { expect, test } from 'vitest';
import type { MigrationEvent } from '../domain/event.ts';
import { EventStream } from './event-stream.ts';

const warning = (message: string) => ({ code: 'test', message });
const texts = (events: readonly MigrationEvent[]) =>
  events.map((event) => (event.type === 'warning' ? event.data.message : event.type));

function stream() {
  const shown: MigrationEvent[] = [];
  const journal: MigrationEvent[] = [];
  const events = new EventStream((event) => shown.push(event));
  const append = async (event: MigrationEvent) => void journal.push(event);
  return { events, shown, journal, append };
}

test('what happened before the journal existed is journaled first, in order', async () => {
  const { events, shown, journal, append } = stream();
  await events.emit('warning', warning('one'));
  expect(texts(journal)).toEqual([]);
  await events.openJournal(append);
  await events.emit('warning', warning('two'));
  expect(texts(journal)).toEqual(['one', 'two']);
  expect(texts(shown)).toEqual(['one', 'two']);
});

test('inside the pause events are shown at once and journaled later', async () => {
  const { events, shown, journal, append } = stream();
  await events.openJournal(append);
  events.hold();
  await events.emit('warning', warning('held'));
  expect([texts(shown), texts(journal)]).toEqual([['held'], []]);
  await events.release();
  expect(texts(journal)).toEqual(['held']);
});

test('a reader that fails does not fail what it reads', async () => {
  const journal: MigrationEvent[] = [];
  const events = new EventStream(() => {
    throw new Error('the terminal is gone');
  });
  await events.openJournal(async (event) => void journal.push(event));
  await events.emit('warning', warning('kept'));
  expect(texts(journal)).toEqual(['kept']);
});

test('samples are shown and never journaled', async () => {
  const { events, shown, journal, append } = stream();
  await events.openJournal(append);
  await events.emit('lag-sampled', { lagBytes: 1, lagMs: 1, retainedWalBytes: 1 });
  expect(shown).toHaveLength(1);
  expect(journal).toHaveLength(0);
});

test('an event that could not be journaled stays at the head of the queue', async () => {
  const { events, journal, append } = stream();
  await events.emit('warning', warning('kept'));
  await expect(events.openJournal(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
  await events.openJournal(append);
  expect(texts(journal)).toEqual(['kept']);
});
