import { expect, test } from 'vitest';
import { Children } from './child.ts';

const WAITING = [process.execPath, '-e', 'console.log("here"); setInterval(() => undefined, 1000)'];
const isHere = (line: string) => line === 'here' || undefined;

test('ends what it started, and starts nothing from then on', async () => {
  const children = new Children();
  const { stop } = await children.start(WAITING, {}, isHere);
  await children.end();
  expect(await stop()).toEqual(['here']);
  await expect(children.start(WAITING, {}, isHere)).rejects.toThrow('everything is being ended');
  await expect(children.run([process.execPath, '-e', ''], {})).rejects.toThrow('everything is being ended');
});
