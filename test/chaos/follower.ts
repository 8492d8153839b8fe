/** `sync --follow` beside all other commands, as the Job of a cluster runs it: killed, told to end, frozen, and started again. */

import { sleep, withDeadline } from '../../src/base/async.ts';
import type { Tool } from '../e2e/tool.ts';
import type { World } from '../e2e/world.ts';
import { isFault } from './commands.ts';
import type { Dice } from './dice.ts';
import { freeze } from './processes.ts';

const LONGEST_LIFE_MS = 20_000;
const LONGEST_FREEZE_MS = 6_000;
/** It looks every 3 s, and lingers for 10. */
const ENDS_WITHIN_MS = 60_000;

type End = 'SIGKILL' | 'SIGTERM' | 'freeze';

export class Follower {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #following: Promise<void>;
  #current: Tool | undefined;
  #fault: string | undefined;
  #isLeftAlone = false;
  #isOver = false;

  constructor(world: World, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
    this.#following = this.#follow();
  }

  /** The migration is over: the one that runs sees it, and so does one that begins now. */
  async endsByItself(): Promise<void> {
    this.#isLeftAlone = true;
    await withDeadline('the end of sync --follow', ENDS_WITHIN_MS, this.#following);
  }

  /** @returns what was wrong */
  async stop(): Promise<string | undefined> {
    this.#isOver = true;
    await this.#current?.kill();
    await this.#following;
    return this.#fault;
  }

  async #follow(): Promise<void> {
    while (!this.#isOver) {
      const wasLast = this.#isLeftAlone;
      const tool = this.#world.start(['sync', '--follow']);
      this.#current = tool;
      await Promise.race([this.#disturb(tool), tool.ended]);
      const { exitCode, stdout, stderr } = await tool.ended;
      if (isFault(exitCode, stderr) || (wasLast && exitCode !== 0 && !this.#isOver))
        this.#fault ??= `sync --follow: exit ${exitCode}\n${stdout}${stderr.slice(-3000)}`;
      if (wasLast) return;
    }
  }

  async #disturb(tool: Tool): Promise<void> {
    for (;;) {
      await sleep(this.#dice.between(0, LONGEST_LIFE_MS));
      if (this.#isLeftAlone || !tool.isRunning) return;
      const end = this.#dice.pick<End>(['SIGKILL', 'SIGTERM', 'freeze']);
      if (end === 'freeze') await freeze([tool.pid], this.#dice.between(0, LONGEST_FREEZE_MS));
      else await tool.kill(end);
    }
  }
}
