/** Figures of the load, from its ledger: what the report needs. */

import { windowStats } from '../load/latency.ts';
import { measured, readLedger } from '../load/ledger.ts';
import type { Paths } from './folder.ts';
import { readSecrets } from './secrets.ts';

export interface TrafficWindow {
  /** ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** All figures of a stretch of time without the warm-up, as lines of a word and a value. */
export async function trafficLines(paths: Paths, { fromMs, toMs }: TrafficWindow): Promise<string> {
  const ledger = await readLedger(paths.ledger, readSecrets(paths).seed);
  const { requests, failed, longestMs, p50Ms, p95Ms, p99Ms } = windowStats(
    { ...ledger, outcomes: measured(ledger.outcomes) },
    fromMs,
    toMs,
  );
  const figures = { requests, failed, longest_ms: longestMs, p50_ms: p50Ms, p95_ms: p95Ms, p99_ms: p99Ms };
  const started = `started ${new Date(ledger.header.startedAtMs).toISOString()}`;
  return [started, ...Object.entries(figures).map(([name, value]) => `${name} ${value}`)].join('\n');
}
