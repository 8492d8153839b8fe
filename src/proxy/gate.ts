/** Why traffic is held: by whom, for which reason, and until when without a word from them. */

import type { Side } from '../domain/names.ts';
import type { Hold } from './control-types.ts';

/** The owner said that it is about to write the commit point. */
export interface Committing {
  readonly to: Side;
  readonly epoch: number;
  readonly refuseAfterMs: number;
}

interface Held {
  readonly reason: string;
  readonly sinceMs: number;
  endsAtMs: number;
  /** Said by the timer, not by the clock: timers fire up to a millisecond early. */
  hasEnded: boolean;
  timer: NodeJS.Timeout;
  committing: Committing | undefined;
}

export type LeaseEnded = (owner: string, committing: Committing | undefined) => void;

export class Gate {
  readonly #holds = new Map<string, Held>();
  readonly #leaseEnded: LeaseEnded;

  /** `leaseEnded` is called with the hold still in place: it decides where traffic goes and then releases it. */
  constructor(leaseEnded: LeaseEnded) {
    this.#leaseEnded = leaseEnded;
  }

  get isClosed(): boolean {
    return this.#holds.size > 0;
  }

  holds(): Hold[] {
    const now = performance.now();
    return [...this.#holds].map(([owner, held]) => ({
      owner,
      reason: held.reason,
      leaseRemainingMs: Math.max(0, Math.round(held.endsAtMs - now)),
    }));
  }

  /** Holds, or renews and renames the hold this owner has. */
  hold(owner: string, reason: string, leaseMs: number): void {
    const before = this.#holds.get(owner);
    if (before !== undefined) clearTimeout(before.timer);
    const now = performance.now();
    this.#holds.set(owner, {
      reason,
      sinceMs: before?.sinceMs ?? now,
      endsAtMs: now + leaseMs,
      hasEnded: false,
      timer: this.#expire(owner, leaseMs),
      committing: before?.committing,
    });
  }

  /** False when this owner holds nothing: its lease has ended. */
  renew(owner: string, leaseMs: number): boolean {
    const held = this.#holds.get(owner);
    if (held === undefined) return false;
    clearTimeout(held.timer);
    held.endsAtMs = performance.now() + leaseMs;
    held.hasEnded = false;
    held.timer = this.#expire(owner, leaseMs);
    return true;
  }

  /** False when this owner holds nothing, or its lease has ended: then traffic goes on without asking anybody. */
  committing(owner: string, committing: Committing): boolean {
    const held = this.#holds.get(owner);
    if (held === undefined || (held.hasEnded && held.committing === undefined)) return false;
    held.committing = committing;
    return true;
  }

  isHeldBy(owner: string): boolean {
    return this.#holds.has(owner);
  }

  /** Holds still, and its lease has ended. */
  isExpired(owner: string): boolean {
    return this.#holds.get(owner)?.hasEnded ?? false;
  }

  /** Owners whose lease has ended and whose hold stays, because nobody could tell yet where traffic belongs. */
  expired(): string[] {
    return [...this.#holds.keys()].filter((owner) => this.isExpired(owner));
  }

  release(owner: string): void {
    const held = this.#holds.get(owner);
    if (held === undefined) return;
    clearTimeout(held.timer);
    this.#holds.delete(owner);
  }

  close(): void {
    for (const owner of [...this.#holds.keys()]) this.release(owner);
  }

  #expire(owner: string, leaseMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const held = this.#holds.get(owner);
      if (held === undefined) return;
      held.hasEnded = true;
      this.#leaseEnded(owner, held.committing);
    }, leaseMs);
  }
}
