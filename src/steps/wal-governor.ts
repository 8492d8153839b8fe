/** Keeps our slots from filling the source's disk while `sync` works. */

import { sleep } from '../base/async.ts';
import { ReplicationError } from '../domain/errors.ts';
import type { LaneNames } from '../domain/names.ts';
import {
  judgeWal,
  type LagSample,
  type Pace,
  paceOf,
  recent,
  type WalLimits,
  type WalVerdict,
  walLimitBytes,
} from '../domain/wal-budget.ts';
import type { StepContext } from '../engine/step.ts';
import { formatBytes } from '../observers/quantity.ts';
import type { Connection } from '../postgres/connection.ts';
import { giveUpSlot } from '../postgres/drop-lane.ts';
import { existingLanes } from '../postgres/lane.ts';
import { type SlotState, slotState } from '../postgres/replication-slot.ts';
import { subscriptionState } from '../postgres/subscription.ts';
import { readTuning } from '../state/tuning.ts';

const POLL_MS = 1_000;
const WARN_AT = 0.7;
/** A subscriber confirms at most every 10 s, and nothing while it applies one large transaction. */
const PROGRESS_WINDOW_MS = 60_000;

/**
 * Runs `work` and looks once a second at what our slots keep on the source, in sessions of its own. At 70 % of the limit it
 * warns; at the limit, where copy and index build cannot lower it any more, it ends the work and drops the slot.
 * While the target follows and comes nearer, or applies one large
 * transaction, it only warns.
 *
 * SQL does not tell how much disk is free, so the limit is throttle.maxWalRetained, or max_slot_wal_keep_size if nearer.
 *
 * @throws {ReplicationError} `wal_limit_reached`, `slot_lost`; whatever `work` throws
 */
export async function withWalGovernor<T>(
  context: StepContext,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const givenUp = new AbortController();
  const watching = new Watch(context, givenUp).run(stop.signal);
  try {
    const result = await work(AbortSignal.any([context.signal, givenUp.signal]));
    givenUp.signal.throwIfAborted();
    return result;
  } catch (error) {
    // The work was cut short: what it says about that follows from our reason.
    throw givenUp.signal.aborted ? givenUp.signal.reason : error;
  } finally {
    stop.abort();
    await watching;
  }
}

interface Watched {
  readonly lane: LaneNames;
  readonly slot: SlotState;
  readonly isFollowing: boolean;
  readonly verdict: WalVerdict;
}

class Watch {
  readonly #context: StepContext;
  readonly #givenUp: AbortController;
  readonly #lag = new Map<string, readonly LagSample[]>();
  #sessions: { readonly source: Connection; readonly target: Connection } | undefined;
  #hasWarned = false;
  #maxRetainedBytes: number;

  constructor(context: StepContext, givenUp: AbortController) {
    this.#context = context;
    this.#givenUp = givenUp;
    this.#maxRetainedBytes = context.settings.throttle.maxWalRetainedBytes;
  }

  /** Until `stop`, or until it has given up. Never rejects: servers that cannot be reached are the work's to report. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !this.#givenUp.signal.aborted) {
      await this.#look().catch(() => this.#closeSessions());
      await sleep(POLL_MS, stop).catch(() => undefined);
    }
    await this.#closeSessions();
  }

  async #look(): Promise<void> {
    this.#sessions ??= await this.#openSessions();
    const { source, target } = this.#sessions;
    const { migration, events, settings } = this.#context;
    const tuning = await readTuning(target, migration).catch(() => undefined);
    this.#maxRetainedBytes = tuning?.maxWalRetainedBytes ?? settings.throttle.maxWalRetainedBytes;
    const watched = await this.#watched(source, target);
    const over = watched.filter(({ verdict }) => verdict === 'give-up');
    const near = watched.filter(({ verdict }) => verdict === 'warn');
    for (const { slot } of near) await this.#warn(slot, walLimitBytes(slot, this.#limits));
    // Lanes keep the same WAL: dropping one slot frees nothing while another keeps almost as much, which nobody would watch then.
    const dropped = over.length === 0 ? [] : [...over, ...near.filter(({ isFollowing }) => !isFollowing)];
    for (const { lane, slot } of dropped) await this.#giveUp(lane, slot, walLimitBytes(slot, this.#limits));
    const copied = watched.filter(({ isFollowing }) => !isFollowing).map(({ slot }) => slot);
    if (copied.length === 0) return;
    const lagBytes = Math.max(...copied.map((slot) => slot.lagBytes));
    const retainedWalBytes = Math.max(...copied.map((slot) => slot.retainedBytes));
    await events.emit('lag-sampled', { lagBytes, lagMs: undefined, retainedWalBytes });
  }

  get #limits(): WalLimits {
    return { maxRetainedBytes: this.#maxRetainedBytes, warnAt: WARN_AT };
  }

  async #watched(source: Connection, target: Connection): Promise<Watched[]> {
    const watched: Watched[] = [];
    for (const lane of await existingLanes(source, this.#context.migration, 'forward')) {
      const slot = await slotState(source, lane.slot);
      if (slot === undefined || isBeingCreated(slot)) continue;
      const isFollowing = await follows(target, lane);
      const verdict = judgeWal(slot, this.#limits, isFollowing ? this.#pace(slot) : 'none');
      watched.push({ lane, slot, isFollowing, verdict });
    }
    return watched;
  }

  #pace({ name, lagBytes, activePid }: SlotState): Pace {
    const atMs = performance.now();
    const samples = [
      ...recent(this.#lag.get(name) ?? [], PROGRESS_WINDOW_MS, atMs),
      { atMs, lagBytes, activePid },
    ];
    this.#lag.set(name, samples);
    return paceOf(samples, PROGRESS_WINDOW_MS);
  }

  async #warn({ name, retainedBytes }: SlotState, limitBytes: number): Promise<void> {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    await this.#context.events.emit('warning', {
      code: 'wal_near_limit',
      message: `Slot ${name} keeps ${formatBytes(retainedBytes)} of WAL on the source; the limit is ${formatBytes(limitBytes)}`,
      hint: 'At the limit sync stops and drops the slot. With enough free disk there: pgglide set throttle.maxWalRetained=SIZE',
    });
  }

  async #giveUp(lane: LaneNames, slot: SlotState, limitBytes: number): Promise<void> {
    const error = slot.walStatus === 'lost' ? slotLost(slot) : limitReached(slot, limitBytes);
    this.#givenUp.abort(error);
    if (this.#sessions === undefined) return;
    try {
      await giveUpSlot(this.#sessions.source, this.#sessions.target, lane);
    } catch (cause) {
      await this.#context.events.emit('warning', {
        code: 'slot_not_dropped',
        message: `Slot ${slot.name} could not be dropped and keeps its WAL: ${cause instanceof Error ? cause.message : cause}`,
        hint: `On the source: SELECT pg_drop_replication_slot('${slot.name}');`,
      });
    }
  }

  async #openSessions(): Promise<{ source: Connection; target: Connection }> {
    const source = await this.#context.open('source', 'wal governor');
    try {
      return { source, target: await this.#context.open('target', 'wal governor') };
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  async #closeSessions(): Promise<void> {
    const sessions = this.#sessions;
    this.#sessions = undefined;
    await Promise.all([sessions?.source.close(), sessions?.target.close()]);
  }
}

/** A slot that is being created has no WAL yet, which is how a lost one looks too; but only the former is in use. */
const isBeingCreated = (slot: SlotState): boolean => slot.restartLsn === undefined && slot.isActive;

async function follows(target: Connection, lane: LaneNames): Promise<boolean> {
  return (await subscriptionState(target, lane.subscription))?.isEnabled ?? false;
}

const COPIED_ANEW = 'Tables that were copied with this slot are copied anew by the next pgglide sync.';

function limitReached({ name, retainedBytes }: SlotState, limitBytes: number): ReplicationError {
  return new ReplicationError(
    'wal_limit_reached',
    `Slot ${name} kept ${formatBytes(retainedBytes)} of WAL on the source, the limit is ${formatBytes(limitBytes)}: sync stopped and dropped it, so that the disk there does not fill up`,
    {
      hint: `Raise throttle.maxWalRetained (and max_slot_wal_keep_size on the source, if set), or let it go faster (copy.jobs), or choose a quieter hour. ${COPIED_ANEW}`,
      facts: { slot: name, retainedBytes, limitBytes },
    },
  );
}

const slotLost = ({ name }: SlotState): ReplicationError =>
  new ReplicationError('slot_lost', `The source has removed WAL that slot ${name} still needed`, {
    hint: `Raise max_slot_wal_keep_size on the source, where there is room. ${COPIED_ANEW}`,
    facts: { slot: name },
  });
