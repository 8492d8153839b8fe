/** One seed: its script, played, judged, and made short when there is a difference. */

import type { FuzzBed } from './bed.ts';
import { difference, shrink } from './judge.ts';
import { printed } from './script.ts';
import { kindOf, writeScript } from './write-script.ts';

const SHRINK_MS = 60_000;

/** The difference and the script, for people; undefined: none. */
export async function playSeed(bed: FuzzBed, seed: number): Promise<string | undefined> {
  const kind = kindOf(seed);
  const script = writeScript(seed, kind);
  bed.tally.scripts += 1;
  bed.tally.messages += script.filter((item) => 'send' in item).length;
  const found = await difference(bed, script, kind);
  if (found === 'unfit') bed.tally.unfit += 1;
  if (found === undefined || found === 'unfit') return undefined;
  const shortest = await shrink(bed, script, kind, SHRINK_MS);
  const last = await difference(bed, shortest, kind);
  return `seed ${seed} (${kind})\n${found}\nscript, made short:\n${printed(shortest)}\n${last ?? '(not each time)'}`;
}
