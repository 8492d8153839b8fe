/** When the owner of a pause counts as gone, and what is then done about its pause. */

import { sleep } from '../base/async.ts';

/** Each resolves to whether there is nothing left to do, and is tried again otherwise. */
export interface PauseDeeds {
  /** Before the commit point was announced. */
  goOnInPlace(): Promise<boolean>;
  /** After that. `silentMs`: for how long the owner has said nothing. Its process may have ended: where the network broke first, its sessions have not. */
  goOnAsRowSays(silentMs: number): Promise<boolean>;
}

const RETRY_MS = 250;
/** Of the time that has passed: the longer nobody answers the seldomer they are asked. */
const RETRY_SHARE = 0.1;
const GIVE_UP_MS = 600_000;

export class PauseWatch {
  readonly #deeds: PauseDeeds;
  readonly #wait: (ms: number) => Promise<void>;
  /** Its timer alone tells when it has ended: by another clock that is up to a millisecond later, and then nobody would look again. */
  #lease: 'none' | 'runs' | 'has ended' = 'none';
  #isCommitting = false;
  #isOwnerGone = false;
  /** The pause has been ended here. */
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  #deed: Promise<boolean> | undefined;
  #takingOver: Promise<void> | undefined;

  constructor(deeds: PauseDeeds, wait: (ms: number) => Promise<void> = sleep) {
    this.#deeds = deeds;
    this.#wait = wait;
  }

  /** @throws {Error} when the pause was ended here; waits where that is being done */
  async lease(leaseMs: number): Promise<void> {
    await this.#deed?.catch(() => undefined);
    if (this.#isOver) throw new Error('The lease has ended');
    this.#lease = 'runs';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#lease = 'has ended';
      this.#takeOver();
    }, leaseMs);
  }

  /** @throws {Error} when nothing is paused, or not any more */
  async committing(): Promise<void> {
    await this.#deed?.catch(() => undefined);
    if (this.#isOver || this.#lease === 'none') throw new Error('Nothing is paused');
    this.#isCommitting = true;
  }

  dismiss(): void {
    clearTimeout(this.#timer);
    this.#lease = 'none';
    this.#isCommitting = false;
  }

  /** Resolves when there is nothing more to do. */
  async ownerGone(): Promise<void> {
    this.#isOwnerGone = true;
    clearTimeout(this.#timer);
    this.#takeOver();
    await this.#takingOver;
  }

  get #isSilent(): boolean {
    if (this.#isOver || this.#lease === 'none') return false;
    return this.#isOwnerGone || this.#lease === 'has ended';
  }

  #takeOver(): void {
    this.#takingOver ??= this.#untilDone().finally(() => {
      this.#takingOver = undefined;
    });
  }

  async #untilDone(): Promise<void> {
    const startedMs = performance.now();
    const passedMs = () => performance.now() - startedMs;
    while (this.#isSilent && passedMs() < GIVE_UP_MS) {
      this.#deed = this.#isCommitting ? this.#deeds.goOnAsRowSays(passedMs()) : this.#deeds.goOnInPlace();
      this.#isOver = await this.#deed.catch(() => false);
      this.#deed = undefined;
      if (!this.#isOver) await this.#wait(RETRY_MS + passedMs() * RETRY_SHARE);
    }
  }
}
