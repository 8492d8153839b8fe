import { expect, test } from 'vitest';
import { until } from '../base/async.ts';
import { Gate } from './gate.ts';

test('a lease that has ended is over, however early its timer fired', async () => {
  // Node's timers may fire a fraction of a millisecond early; a hold that was then not "expired" stayed for ever.
  const verdicts: boolean[] = [];
  const gate: Gate = new Gate((owner) => verdicts.push(gate.isExpired(owner)));
  const holds = 300;
  for (let n = 0; n < holds; n++) gate.hold(`owner ${n}`, 'a test', 1 + (n % 25) + Math.random());
  await until('every lease', async () => (verdicts.length === holds ? true : undefined), { timeoutMs: 5000 });
  gate.close();
  expect(verdicts.filter((isExpired) => !isExpired)).toEqual([]);
});

test('an owner that renews after its lease ended holds again', async () => {
  const ended: string[] = [];
  const gate = new Gate((owner) => ended.push(owner));
  gate.hold('slow', 'a test', 5);
  await until('the lease', async () => (ended.length === 1 ? true : undefined), { timeoutMs: 5000 });
  expect(gate.isExpired('slow')).toBe(true);
  expect(gate.renew('slow', 60_000)).toBe(true);
  expect(gate.isExpired('slow')).toBe(false);
  gate.close();
});

test('an owner whose lease has ended announces no commit point: traffic is about to go on', async () => {
  const ended: string[] = [];
  const gate = new Gate((owner) => ended.push(owner));
  gate.hold('slow', 'a test', 5);
  await until('the lease', async () => (ended.length === 1 ? true : undefined), { timeoutMs: 5000 });
  const commitPoint = { to: 'target', epoch: 1, refuseAfterMs: 1000 } as const;
  expect(gate.committing('slow', commitPoint)).toBe(false);
  gate.renew('slow', 60_000);
  expect(gate.committing('slow', commitPoint)).toBe(true);
  gate.close();
});
