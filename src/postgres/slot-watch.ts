/** What the slots of one link keep on its publisher, and which of them must go. Asks the publisher only. */

import type { LaneNames, LinkName } from '../domain/names.ts';
import {
  judgeWal,
  type LagSample,
  type Pace,
  paceOf,
  recent,
  type WalVerdict,
} from '../domain/wal-budget.ts';
import type { Connection } from './connection.ts';
import { existingLanes } from './lane.ts';
import { type SlotState, slotState } from './replication-slot.ts';

/** A subscriber confirms at most every 10 s, and nothing while it applies one large transaction. */
const PROGRESS_WINDOW_MS = 60_000;

export interface WatchedSlot {
  readonly lane: LaneNames;
  readonly slot: SlotState;
  readonly isFollowing: boolean;
  readonly verdict: WalVerdict;
}

export class SlotWatch {
  readonly #migration: string;
  readonly #link: LinkName;
  readonly #windowMs: number;
  readonly #lag = new Map<string, readonly LagSample[]>();

  constructor(migration: string, link: LinkName, windowMs = PROGRESS_WINDOW_MS) {
    this.#migration = migration;
    this.#link = link;
    this.#windowMs = windowMs;
  }

  /** @param follows whether the lane's rows are copied, so that its subscriber can take over what is behind */
  async look(
    publisher: Connection,
    maxRetainedBytes: number,
    follows: (lane: LaneNames) => boolean,
  ): Promise<WatchedSlot[]> {
    const watched: WatchedSlot[] = [];
    for (const lane of await existingLanes(publisher, this.#migration, this.#link)) {
      const slot = await slotState(publisher, lane.slot);
      if (slot === undefined || isBeingCreated(slot)) continue;
      const isFollowing = follows(lane);
      const verdict = judgeWal(slot, maxRetainedBytes, isFollowing ? this.#pace(slot) : 'none');
      watched.push({ lane, slot, isFollowing, verdict });
    }
    return watched;
  }

  /** Those of single tables that PostgreSQL copies: they are no lane's, and each keeps WAL of its own. */
  async tableCopiesToDrop(
    publisher: Connection,
    maxRetainedBytes: number,
    names: readonly string[],
  ): Promise<SlotState[]> {
    const toDrop: SlotState[] = [];
    for (const name of names) {
      const slot = await slotState(publisher, name);
      if (slot === undefined || isBeingCreated(slot)) continue;
      if (judgeWal(slot, maxRetainedBytes, this.#pace(slot)) === 'give-up') toDrop.push(slot);
    }
    return toDrop;
  }

  #pace({ name, lagBytes, activePid }: SlotState): Pace {
    const atMs = performance.now();
    const samples = [
      ...recent(this.#lag.get(name) ?? [], this.#windowMs, atMs),
      { atMs, lagBytes, activePid },
    ];
    this.#lag.set(name, samples);
    return paceOf(samples, this.#windowMs);
  }
}

/** A slot that is being created has no WAL yet, which is how a lost one looks too; but only the former is in use. */
const isBeingCreated = (slot: SlotState): boolean => slot.restartLsn === undefined && slot.isActive;

/**
 * Lanes keep the same WAL: dropping one slot frees nothing while another keeps almost as much, which nobody would watch
 * then. One whose subscriber takes over what is behind stays.
 */
export function slotsToDrop(watched: readonly WatchedSlot[]): WatchedSlot[] {
  const over = watched.filter(({ verdict }) => verdict === 'give-up');
  const near = watched.filter(({ verdict, isFollowing }) => verdict === 'warn' && !isFollowing);
  return over.length === 0 ? [] : [...over, ...near];
}
