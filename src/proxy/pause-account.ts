/** What a pause cost: for how long traffic was held, and which requests waited. One at a time; the next begins anew. */

import { rounded } from '../base/rounded.ts';
import type { Hold, ResumeReply } from './control-types.ts';
import { WaitStatistics } from './wait-statistics.ts';

export class PauseAccount {
  waits = new WaitStatistics();
  #sinceMs: number | undefined;
  #last: ResumeReply = { waits: new WaitStatistics().summary(), pauseMs: 0 };

  begin(atMs = performance.now()): void {
    this.#sinceMs ??= atMs;
  }

  /** Of the last one that ended. */
  last(holds: readonly Hold[]): ResumeReply {
    return holds.length > 0 ? { ...this.#last, holds } : this.#last;
  }

  /** Of this one, which goes on where somebody still holds. */
  end(holds: readonly Hold[]): ResumeReply {
    const sinceMs = this.#sinceMs ?? performance.now();
    const reply = {
      waits: this.waits.summary(),
      pauseMs: rounded(performance.now() - sinceMs),
    };
    if (holds.length > 0) return { ...reply, holds };
    this.#sinceMs = undefined;
    this.waits = new WaitStatistics();
    this.#last = reply;
    return reply;
  }
}
