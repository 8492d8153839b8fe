/**
 * `npm run test:fuzz -- [--minutes N] [--seed S] [--only SCRIPT_SEED] [--majors 15,16]`: random scripts of protocol messages, each played to two servers and
 * to a client of the proxy, which is paused and switched meanwhile. What is heard must be the same. The same seed makes the same scripts;
 * the moments of the switches depend on the machine. Exit code 1 when there was a difference.
 */

import { parseArgs } from 'node:util';
import { startServer } from '../../src/embedded/embedded-server.ts';
import { Dice } from '../chaos/dice.ts';
import { TestDatabase } from '../support/database.ts';
import { FuzzBed } from './bed.ts';
import { playSeed } from './round.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** The script of this seed alone. */
    only: { type: 'string' },
    majors: { type: 'string', default: '15,16' },
  },
});

const SETTINGS = { fsync: 'off', shared_buffers: '32MB' };

async function main(): Promise<void> {
  const [sourceMajor = 15, targetMajor = 16] = values.majors.split(',').map(Number);
  await using sourceServer = await startServer({ majorVersion: sourceMajor, settings: SETTINGS });
  await using targetServer = await startServer({ majorVersion: targetMajor, settings: SETTINGS });
  const at = (server: typeof sourceServer) => ({
    majorVersion: server.majorVersion,
    address: server.address(),
  });
  const source = await TestDatabase.create(at(sourceServer), 'source');
  const target = await TestDatabase.create(at(targetServer), 'target');
  const found: string[] = [];
  {
    await using bed = await FuzzBed.start(source, target);
    const dice = new Dice(Number(values.seed));
    const until = performance.now() + Number(values.minutes) * 60_000;
    do {
      const seed = values.only === undefined ? Math.floor(dice.between(0, 2 ** 32)) : Number(values.only);
      const fault = await playSeed(bed, seed);
      if (fault !== undefined) {
        found.push(fault);
        console.log(fault);
      }
      if (bed.tally.scripts % 200 === 0) console.error(JSON.stringify(bed.tally));
    } while (performance.now() < until && values.only === undefined);
    console.log(JSON.stringify({ seed: values.seed, ...bed.tally, differences: found.length }));
  }
  await source.close();
  await target.close();
  process.exitCode = found.length === 0 ? 0 : 1;
}

await main();
