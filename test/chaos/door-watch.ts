/** Looks all the time whether both sides take writes. */

import { sleep } from '../../src/base/async.ts';
import type { World } from '../e2e/world.ts';

const EVERY_MS = 1_000;
/** A switch there and back takes longer: a side that is open before and after such a look was open in between. */
const LONGEST_LOOK_MS = 1_500;

export class DoorWatch {
  readonly #world: World;
  readonly #watching: Promise<string | undefined>;
  #isOver = false;

  constructor(world: World) {
    this.#world = world;
    this.#watching = this.#watch();
  }

  /** @returns what was wrong */
  async stop(): Promise<string | undefined> {
    this.#isOver = true;
    return this.#watching;
  }

  async #watch(): Promise<string | undefined> {
    let found: string | undefined;
    while (!this.#isOver) {
      if (await this.#areBothOpen()) found ??= `Both sides took writes at ${new Date().toISOString()}`;
      await sleep(EVERY_MS);
    }
    return found;
  }

  async #areBothOpen(): Promise<boolean> {
    const started = performance.now();
    if ((await this.#world.door('source')) !== 'open') return false;
    if (!(await this.#isFenceable()) || (await this.#world.door('target')) !== 'open') return false;
    if ((await this.#world.door('source')) !== 'open') return false;
    return performance.now() - started < LONGEST_LOOK_MS;
  }

  /** Before the first sync has ended the target is not fenced yet, and an abort takes the fence away before the tables. */
  async #isFenceable(): Promise<boolean> {
    const phase = "SELECT 1 AS fenced FROM pgglide.migration WHERE phase IN ('following', 'switched')";
    const rows = await this.#world.query('target', phase).catch(() => []);
    return rows.length > 0;
  }
}
