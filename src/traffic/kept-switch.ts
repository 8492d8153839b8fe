/**
 * Over a pooler that knows no lease: a keeper, a process of its own, ends the pause when its owner dies or stands still.
 * Before the commit point was announced traffic goes on where it is; after that the keeper asks the migration's row.
 */

import { RefusedError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { Drained, TrafficState, TrafficSwitch } from './traffic-switch.ts';

/** Lives on when its owner is gone, for as long as a pause is to be ended. Every call rejects when it has ended the pause, or died. */
export interface PauseKeeper extends AsyncDisposable {
  /** The pause goes on for `leaseMs` from now, unless this is said again. Where the keeper is ending it, waits for that. */
  lease(leaseMs: number): Promise<void>;
  /** From now on only the migration's row tells where traffic goes on. */
  committing(): Promise<void>;
  /** There is no pause any more. */
  dismiss(): Promise<void>;
}

export type ForkKeeper = () => Promise<PauseKeeper>;

type PauseOptions = Parameters<TrafficSwitch['pause']>[0];

/** While its owner ends the pause the keeper leaves it alone for so long; when the owner dies it knows at once. */
const RESUME_MS = 30_000;

export const openKeptSwitch = (pooler: TrafficSwitch, forkKeeper: ForkKeeper): TrafficSwitch =>
  new KeptSwitch(pooler, forkKeeper);

class KeptSwitch implements TrafficSwitch {
  readonly #pooler: TrafficSwitch;
  readonly #forkKeeper: ForkKeeper;
  #keeper: Promise<PauseKeeper> | undefined;

  constructor(pooler: TrafficSwitch, forkKeeper: ForkKeeper) {
    this.#pooler = pooler;
    this.#forkKeeper = forkKeeper;
  }

  observe(): Promise<TrafficState> {
    return this.#pooler.observe();
  }

  /** The keeper, too: to start a process takes longer than a pause. */
  async prepare(to: Side) {
    await this.#keeping();
    return this.#pooler.prepare(to);
  }

  async pause(options: PauseOptions): Promise<Drained> {
    const keeper = await this.#keeping();
    await keeper.lease(options.leaseMs);
    try {
      return await this.#pooler.pause(options);
    } catch (error) {
      await keeper.dismiss().catch(() => undefined);
      throw error;
    }
  }

  async renew(leaseMs: number): Promise<void> {
    const keeper = await this.#keeper;
    await keeper?.lease(leaseMs);
    await this.#pooler.renew(leaseMs);
  }

  /** @throws {RefusedError} `hold_missing`: the keeper has ended the pause, or is gone */
  async committing(to: Side, epoch: number): Promise<void> {
    const keeper = await this.#keeper;
    await keeper?.committing().catch((cause: unknown) => {
      throw new RefusedError(
        'hold_missing',
        'Nothing is paused any more: this run stood still for too long',
        {
          hint: 'Try again; see what held the run up.',
          cause,
        },
      );
    });
    await this.#pooler.committing(to, epoch);
  }

  async resume(side: Side, epoch: number) {
    const keeper = await this.#keeper?.catch(() => undefined);
    await keeper?.lease(RESUME_MS).catch(() => undefined);
    const resumed = await this.#pooler.resume(side, epoch);
    await keeper?.dismiss().catch(() => undefined);
    return resumed;
  }

  /** A pause that was not ended is the keeper's from now on. */
  async [Symbol.asyncDispose](): Promise<void> {
    const keeper = await this.#keeper?.catch(() => undefined);
    await keeper?.[Symbol.asyncDispose]();
    await this.#pooler[Symbol.asyncDispose]();
  }

  #keeping(): Promise<PauseKeeper> {
    this.#keeper ??= this.#forkKeeper();
    return this.#keeper;
  }
}
