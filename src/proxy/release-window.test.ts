import { expect, test } from 'vitest';
import { ReleaseWindow } from './release-window.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));
const NEVER_MS = 60_000;

/** Asks for `count` places one after another, as a release does; says who has got in. */
function queue(window: ReleaseWindow, count: number) {
  const inside: { answer(): void }[] = [];
  void (async () => {
    for (let n = 0; n < count; n++) {
      await window.enter();
      window.leaveAfter(new Promise((resolve) => inside.push({ answer: resolve })));
    }
  })();
  return inside;
}

test('lets in as many as it is wide, and another for each that was answered', async () => {
  const inside = queue(new ReleaseWindow(2, NEVER_MS), 10);
  await settled();
  expect(inside).toHaveLength(2);
  inside[0]?.answer();
  await settled();
  expect(inside).toHaveLength(3);
});

test('is one place wider after four answers', async () => {
  const inside = queue(new ReleaseWindow(2, NEVER_MS), 10);
  for (const answered of [0, 1, 2, 3]) {
    await settled();
    inside[answered]?.answer();
  }
  await settled();
  expect(inside).toHaveLength(2 + 4 + 1);
});

test('a request that takes longer than a moment gives its place up, and the queue is soon empty', async () => {
  const inside = queue(new ReleaseWindow(1, 1), 1_000);
  await expect.poll(() => inside.length, { timeout: 10_000 }).toBe(1_000);
});
