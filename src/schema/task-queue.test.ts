import { expect, test } from 'vitest';
import type { RestoreStage, RestoreTask } from './classify-restore.ts';
import { TaskQueue } from './task-queue.ts';

const task = (n: number, excludes: string[] = [], kind = 'INDEX', sql = ''): RestoreTask => ({
  statement: { n, section: 'post-data', kind, name: String(n), sql },
  cost: 0,
  isCheap: false,
  excludes,
});
const cheap = (n: number, excludes: string[] = []): RestoreTask => ({ ...task(n, excludes), isCheap: true });
const stage = (mode: RestoreStage['mode'], tasks: RestoreTask[]): RestoreStage => ({
  name: 'rest',
  mode,
  tasks,
});
const take = async (queue: TaskQueue) => (await queue.take()).tasks;
const numbers = (batch: readonly RestoreTask[]) => batch.map(({ statement }) => statement.n);

test('a task whose table is busy is passed over until the table is free', async () => {
  const queue = new TaskQueue(stage('parallel', [task(0, ['a']), task(1, ['a', 'b']), task(2, ['c'])]));
  const first = await take(queue);
  expect(numbers(first)).toEqual([0]);
  expect(numbers(await take(queue))).toEqual([2]);
  const waiting = take(queue);
  queue.finish(first);
  expect(numbers(await waiting)).toEqual([1]);
  expect(await take(queue)).toEqual([]);
});

test('a failure hands nothing out any more, also to who waits', async () => {
  const queue = new TaskQueue(stage('parallel', [task(0, ['a']), task(1, ['a'])]));
  await take(queue);
  const waiting = take(queue);
  queue.fail();
  expect(await waiting).toEqual([]);
});

test('serial tasks come in order, many at once, but alone a REFRESH and what sets something for its transaction', async () => {
  const tasks = [
    task(0),
    task(1),
    task(2, [], 'MATERIALIZED VIEW DATA'),
    task(3, [], 'TABLE', 'SET LOCAL default_tablespace = "fast";'),
    task(4),
    task(5),
  ];
  const queue = new TaskQueue(stage('serial', tasks));
  const batches = [];
  for (let batch = await take(queue); batch.length > 0; batch = await take(queue))
    batches.push(numbers(batch));
  expect(batches).toEqual([[0, 1], [2], [3], [4, 5]]);
});

test('cheap parallel tasks share a transaction, up to a busy table, and leave some to the other workers', async () => {
  const tasks = [
    task(0, ['a']),
    ...Array.from({ length: 11 }, (_, index) => cheap(index + 1, [`t${index}`])),
  ];
  const queue = new TaskQueue(stage('parallel', tasks));
  const dear = await take(queue);
  expect(numbers(dear)).toEqual([0]);
  const second = await take(queue);
  expect(numbers(second)).toEqual([1, 2, 3]);
  expect(numbers(await take(queue))).toEqual([4, 5]);
  const blocked = new TaskQueue(
    stage('parallel', [task(0, ['x']), cheap(1), cheap(2), cheap(3, ['x']), cheap(4), cheap(5)]),
  );
  await take(blocked);
  expect(numbers(await take(blocked))).toEqual([1, 2]);
});

test('expected tasks begin when they are released, and end the queue when they will not come', async () => {
  const queue = new TaskQueue(stage('parallel', []), { expected: [task(0), task(1), task(2)] });
  const waiting = take(queue);
  queue.release(({ statement }) => statement.n === 1);
  expect(numbers(await waiting)).toEqual([1]);
  const last = take(queue);
  queue.cancelExpected();
  expect(await last).toEqual([]);
});
