/** Figures of a stretch of time. All times in ms. */

import { type Ledger, type Outcome, succeeded } from './ledger.ts';

export interface WindowStats {
  readonly requests: number;
  readonly failed: number;
  readonly longestMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** Of the requests scheduled from `fromMs` (inclusive) to `toMs` (exclusive), in ms since 1970. */
export function windowStats(
  ledger: Pick<Ledger, 'header' | 'outcomes'>,
  fromMs: number,
  toMs: number,
): WindowStats {
  const { startedAtMs } = ledger.header;
  return summarize(
    ledger.outcomes.filter(({ atMs }) => startedAtMs + atMs >= fromMs && startedAtMs + atMs < toMs),
  );
}

/** Failed requests count in the latencies, too: they made someone wait. */
export function summarize(outcomes: readonly Pick<Outcome, 'latencyMs' | 'status'>[]): WindowStats {
  const latencies = Float64Array.from(outcomes, ({ latencyMs }) => latencyMs).sort();
  return {
    requests: outcomes.length,
    failed: outcomes.filter((outcome) => !succeeded(outcome as Outcome)).length,
    longestMs: latencies.at(-1) ?? 0,
    p50Ms: percentile(latencies, 0.5),
    p95Ms: percentile(latencies, 0.95),
    p99Ms: percentile(latencies, 0.99),
  };
}

/** The smallest value that at least this share of all values does not exceed; 0 when there are none. */
function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
