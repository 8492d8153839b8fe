/**
 * The load generator as a process of its own. Configured by the environment: LOAD_URL, LOAD_RATE, LOAD_LEDGER, LOAD_SEED,
 * and if wanted LOAD_READ_SHARE, LOAD_WARMUP_MS, LOAD_SECONDS. LOAD_SEED_FILE instead of LOAD_SEED names a file that is read
 * once, at the start: a named pipe keeps the seed out of every file and environment. Prints a JSON line a second; SIGINT or SIGTERM ends it in order.
 */

import { readFileSync } from 'node:fs';
import { startLoad } from './load.ts';

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
}

const { LOAD_SEED_FILE, LOAD_READ_SHARE, LOAD_WARMUP_MS, LOAD_SECONDS } = process.env;

const load = await startLoad({
  url: required('LOAD_URL'),
  rate: Number(required('LOAD_RATE')),
  ledgerPath: required('LOAD_LEDGER'),
  seed: LOAD_SEED_FILE === undefined ? required('LOAD_SEED') : readFileSync(LOAD_SEED_FILE, 'utf8').trim(),
  ...(LOAD_READ_SHARE === undefined ? {} : { readShare: Number(LOAD_READ_SHARE) }),
  ...(LOAD_WARMUP_MS === undefined ? {} : { warmupMs: Number(LOAD_WARMUP_MS) }),
});
console.log(JSON.stringify({ startedAtMs: load.startedAtMs }));

const reporting = setInterval(() => {
  const now = Date.now();
  console.log(
    JSON.stringify({ atMs: now, ...load.stats(), lastSecond: load.percentiles(now - 1_500, now - 500) }),
  );
}, 1_000);

async function stop(): Promise<void> {
  const stats = await load.stop();
  clearInterval(reporting);
  console.log(JSON.stringify({ stopped: true, ...stats }));
  process.exit(0);
}
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
if (LOAD_SECONDS !== undefined) setTimeout(() => void stop(), Number(LOAD_SECONDS) * 1_000);
