/** What an operator does to the schema meanwhile: on the side that follows first, then on the active one. */

import { sleep } from '../../src/base/async.ts';
import { otherSide, type Side } from '../../src/domain/names.ts';
import type { World } from '../e2e/world.ts';
import type { Dice } from './dice.ts';

interface Change {
  readonly text: (n: number) => string;
  /** What replication or the switch carries, is run on the active side alone. */
  readonly isCarried?: true;
}

const CHANGES: Readonly<Record<string, Change>> = {
  'add column': {
    text: (n) => `ALTER TABLE public.scratch ADD COLUMN IF NOT EXISTS added_${n} int DEFAULT 7`,
  },
  'new table': { text: (n) => `CREATE TABLE IF NOT EXISTS public.made_${n} (id int PRIMARY KEY)` },
  'new partition': {
    text: (n) =>
      `CREATE TABLE IF NOT EXISTS public.slices_${n} PARTITION OF public.slices FOR VALUES FROM (${n}) TO (${n + 1})`,
  },
  truncate: {
    text: (n) => `INSERT INTO public.scratch (body) VALUES ('${n}'); TRUNCATE public.scratch`,
    isCarried: true,
  },
  refresh: { text: () => 'REFRESH MATERIALIZED VIEW public.bustle_count', isCarried: true },
  sequence: { text: (n) => `SELECT setval('public.jumps', ${n})`, isCarried: true },
};
export const CHANGE_NAMES = Object.keys(CHANGES);
const PATIENCE = 60;

/** Until it is done: a barrier, a lock, a server that is away are waited for. */
export async function change(world: World, dice: Dice, name: string): Promise<void> {
  const { text, isCarried } = CHANGES[name] as Change;
  const statement = text(Math.floor(dice.between(1, 1_000_000)));
  const database = dice.pick(world.databases);
  const run = (side: () => Promise<Side>) =>
    untilDone(async () => world.query(await side(), `SET lock_timeout = '500ms'; ${statement}`, database));
  const active = async () => (await world.proxyState())?.activeSide ?? 'source';
  if (isCarried) return run(active);
  const first = otherSide(await active());
  await run(async () => first);
  await run(async () => otherSide(first));
}

async function untilDone(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === PATIENCE) throw error;
      await sleep(500);
    }
  }
}
