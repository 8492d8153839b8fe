/**
 * `npm run test:chaos -- [--minutes N] [--seed S] [--json FILE]`: whole migrations under load, one after another, with tool, proxy
 * and servers killed, frozen and overtaken at random moments; the ledgers are the judge. The same seed makes the same choices; the moments
 * themselves depend on the machine. Exit code 1 when anything was lost, doubled, or refused to go on.
 */

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Dice } from './dice.ts';
import { playRound, type RoundResult } from './round.ts';

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly jsonFile: string | undefined;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      json: { type: 'string' },
    },
  });
  return { minutes: Number(values.minutes), seed: Number(values.seed), jsonFile: values.json };
}

const { minutes, seed, jsonFile } = options();
const dice = new Dice(seed);
const until = performance.now() + minutes * 60_000;
const rounds: RoundResult[] = [];
do {
  const roundSeed = Math.floor(dice.between(0, 2 ** 32));
  const result = await playRound(roundSeed, (line) => console.error(line));
  console.error(JSON.stringify(result));
  rounds.push(result);
} while (performance.now() < until);

const sum = (of: (result: RoundResult) => number) => rounds.reduce((total, result) => total + of(result), 0);
const summary = {
  ok: rounds.every((result) => result.ok),
  seed,
  rounds: rounds.length,
  disturbances: sum((result) => result.disturbances.length),
  writes: {
    acknowledged: sum((result) => result.acknowledged),
    lost: sum((result) => result.lost),
    doubled: sum((result) => result.doubled),
    torn: sum((result) => result.torn),
  },
  /** Of requests while only the tool was killed: none may fail. */
  failedWithoutReason: sum((result) => result.failedWithoutReason),
  faults: rounds.filter((result) => !result.ok),
};
console.log(JSON.stringify(summary, undefined, 2));
if (jsonFile !== undefined) await writeFile(jsonFile, `${JSON.stringify(summary, undefined, 2)}\n`);
process.exitCode = summary.ok ? 0 : 1;
