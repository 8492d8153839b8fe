/** How long requests waited for a switch. */

import { rounded } from '../base/rounded.ts';
import type { TrafficWaits } from '../domain/event.ts';

export class WaitStatistics {
  readonly #waitsMs: number[] = [];
  failed = 0;
  moved = 0;

  add(waitMs: number): void {
    this.#waitsMs.push(waitMs);
  }

  summary(): TrafficWaits {
    const sorted = this.#waitsMs.toSorted((left, right) => left - right);
    const at = (share: number) => rounded(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
    return {
      heldRequests: sorted.length,
      longestWaitMs: at(1),
      p50Ms: at(0.5),
      p95Ms: at(0.95),
      p99Ms: at(0.99),
      failedRequests: this.failed,
      sessionsMoved: this.moved,
    };
  }
}
