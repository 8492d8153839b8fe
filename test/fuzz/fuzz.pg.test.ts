/** A few of the fuzzer's scripts at each run; `npm run test:fuzz` plays as many as there is time for. */

import { expect } from 'vitest';
import { test } from '../support/fixture.ts';
import { FuzzBed } from './bed.ts';
import { difference } from './judge.ts';
import { playSeed } from './round.ts';
import type { Script } from './script.ts';

const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34];

test('a client of the proxy hears what it would hear from the server, switched or not', async ({
  source,
  target,
}) => {
  await using bed = await FuzzBed.start(source, target);
  for (const seed of SEEDS) expect(await playSeed(bed, seed)).toBeUndefined();
  expect(bed.tally).toMatchObject({ scripts: SEEDS.length, unfit: 0 });
  expect(bed.tally.switches).toBeGreaterThan(0);
});

test('a difference is found where there is one', async ({ source, target }) => {
  await using bed = await FuzzBed.start(source, target);
  const asked: Script = [
    { send: { is: 'Query', text: "SELECT nextval('sq') > 0" } },
    { wait: true },
    { op: 'switch', settle: true },
    { send: { is: 'Query', text: 'SELECT 1' } },
    // Only the session that drew the value knows it.
    { send: { is: 'Query', text: "SELECT currval('sq') > 0" } },
  ];
  expect(await difference(bed, asked, 'moved')).toMatch(/server: D .*\n\s*proxy: {2}E .*55000/);
  expect(await difference(bed, asked.toSpliced(2, 1), 'paused')).toBeUndefined();
});
