/** Keeps our slots from filling the source's disk while `sync` works; `wal-guard.ts` does when it is over. */

import { sleep } from '../base/async.ts';
import { ReplicationError } from '../domain/errors.ts';
import type { LaneNames } from '../domain/names.ts';
import { walLimitBytes } from '../domain/wal-budget.ts';
import type { StepContext } from '../engine/step.ts';
import { formatBytes } from '../observers/quantity.ts';
import { giveUpSlot, slotNotDropped } from '../postgres/give-up-slot.ts';
import { LooseSession } from '../postgres/loose-session.ts';
import type { SlotState } from '../postgres/replication-slot.ts';
import { SlotWatch, slotsToDrop } from '../postgres/slot-watch.ts';
import { enabledSubscriptions } from '../postgres/subscription.ts';
import { readMaxWalRetainedBytes } from '../state/tuning.ts';

const POLL_MS = 1_000;

/**
 * Runs `work` and looks once a second at what our slots keep on the source, in sessions of its own. At 70 % of the limit it
 * warns; at the limit, where copy and index build cannot lower it any more, it ends the work and drops the slot.
 * While the target follows and comes nearer, or applies one large transaction, it only warns.
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

class Watch {
  readonly #context: StepContext;
  readonly #givenUp: AbortController;
  readonly #slots: SlotWatch;
  readonly #source: LooseSession;
  readonly #target: LooseSession;
  /** Names of enabled subscriptions. */
  #following: ReadonlySet<string> = new Set();
  #hasWarned = false;
  #maxRetainedBytes: number;

  constructor(context: StepContext, givenUp: AbortController) {
    this.#context = context;
    this.#givenUp = givenUp;
    this.#slots = new SlotWatch(context.migration, 'forward');
    this.#source = new LooseSession(() => context.open('source', 'wal governor'));
    this.#target = new LooseSession(() => context.open('target', 'wal governor'));
    this.#maxRetainedBytes = context.settings.throttle.maxWalRetainedBytes;
  }

  /** Until `stop`, or until it has given up. Never rejects: servers that cannot be reached are the work's to report. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !this.#givenUp.signal.aborted) {
      await this.#look().catch(() => undefined);
      await sleep(POLL_MS, stop).catch(() => undefined);
    }
    await this.#source[Symbol.asyncDispose]();
    await this.#target[Symbol.asyncDispose]();
  }

  async #look(): Promise<void> {
    await this.#askTarget().catch(() => undefined);
    const watched = await this.#source.ask((source) =>
      this.#slots.look(source, this.#maxRetainedBytes, ({ subscription }) =>
        this.#following.has(subscription),
      ),
    );
    for (const { slot, verdict } of watched)
      if (verdict === 'warn') await this.#warn(slot, walLimitBytes(slot, this.#maxRetainedBytes));
    for (const { lane, slot } of slotsToDrop(watched))
      await this.#giveUp(lane, slot, walLimitBytes(slot, this.#maxRetainedBytes));
    const copied = watched.filter(({ isFollowing }) => !isFollowing).map(({ slot }) => slot);
    if (copied.length === 0) return;
    const lagBytes = Math.max(...copied.map((slot) => slot.lagBytes));
    const retainedWalBytes = Math.max(...copied.map((slot) => slot.retainedBytes));
    await this.#context.events.emit('lag-sampled', { lagBytes, lagMs: undefined, retainedWalBytes });
  }

  /** What was heard last counts while the target does not answer: the source is judged all the same. */
  async #askTarget(): Promise<void> {
    const { migration, settings } = this.#context;
    const [maxRetainedBytes, following] = await this.#target.ask(async (target) => [
      await readMaxWalRetainedBytes(target, migration, settings.throttle),
      await enabledSubscriptions(target),
    ]);
    this.#maxRetainedBytes = maxRetainedBytes;
    this.#following = following;
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
    try {
      await giveUpSlot(this.#source, this.#target, lane);
    } catch (cause) {
      await this.#context.events.emit('warning', slotNotDropped(slot, 'source', cause));
    }
  }
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
