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

export interface Span {
  /** Inclusive, ms since 1970. */
  readonly fromMs: number;
  /** Exclusive, ms since 1970. */
  readonly toMs: number;
}

/** The longest wait of each whole second of the span that touches none of the others, ascending. */
export function longestOfSeconds(
  ledger: Pick<Ledger, 'header' | 'outcomes'>,
  { fromMs, toMs }: Span,
  others: readonly Span[],
): number[] {
  const { startedAtMs } = ledger.header;
  const longestMs = new Map<number, number>();
  for (const { atMs, latencyMs } of ledger.outcomes) {
    const second = Math.floor((startedAtMs + atMs - fromMs) / 1000);
    longestMs.set(second, Math.max(longestMs.get(second) ?? 0, latencyMs));
  }
  return [...longestMs]
    .filter(([second]) => {
      const beginMs = fromMs + second * 1000;
      const endMs = beginMs + 1000;
      if (beginMs < fromMs || endMs > toMs) return false;
      return others.every((other) => endMs <= other.fromMs || beginMs >= other.toMs);
    })
    .map(([, ms]) => ms)
    .sort((a, b) => a - b);
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
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
