/** Looks all the time whether both sides of a database take writes. */

import { sleep } from '../../src/base/async.ts';
import type { Side } from '../../src/domain/names.ts';
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
      for (const database of this.#world.databases)
        if (await this.#areBothOpen(database))
          found ??= `Both sides of ${database} took writes at ${new Date().toISOString()}`;
      await sleep(EVERY_MS);
    }
    return found;
  }

  async #areBothOpen(database: string): Promise<boolean> {
    const isOpen = async (side: Side) => (await this.#world.door(side, database)) === 'open';
    const started = performance.now();
    if (!(await isOpen('source'))) return false;
    if (!(await this.#isFenceable()) || !(await isOpen('target'))) return false;
    if (!(await isOpen('source'))) return false;
    return performance.now() - started < LONGEST_LOOK_MS;
  }

  /** Before the first sync has ended the target is not fenced yet, and an abort takes the fence away before the tables. */
  async #isFenceable(): Promise<boolean> {
    const phase = "SELECT 1 AS fenced FROM pgglide.migration WHERE phase IN ('following', 'switched')";
    const rows = await this.#world.query('target', phase).catch(() => []);
    return rows.length > 0;
  }
}
