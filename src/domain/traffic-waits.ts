/** What several proxies, or several workers of one, say about one pause. Pure. */

import type { TrafficWaits } from './event.ts';

/** Of several percentiles the worst: an upper bound, which is what a promise needs. */
export function mergeWaits(waits: readonly TrafficWaits[]): TrafficWaits {
  const worst = (pick: (wait: TrafficWaits) => number) => Math.max(0, ...waits.map(pick));
  const sum = (pick: (wait: TrafficWaits) => number) => waits.reduce((total, wait) => total + pick(wait), 0);
  return {
    heldRequests: sum((wait) => wait.heldRequests),
    longestWaitMs: worst((wait) => wait.longestWaitMs),
    p50Ms: worst((wait) => wait.p50Ms),
    p95Ms: worst((wait) => wait.p95Ms),
    p99Ms: worst((wait) => wait.p99Ms),
    failedRequests: sum((wait) => wait.failedRequests),
    sessionsMoved: sum((wait) => wait.sessionsMoved),
  };
}
