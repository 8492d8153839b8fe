/** One migration from sync to a last cutover, disturbed on its way. */

import { sleep } from '../../src/base/async.ts';
import type { Side } from '../../src/domain/names.ts';
import type { Tool } from '../e2e/tool.ts';
import { World } from '../e2e/world.ts';
import { Dice } from './dice.ts';

export interface RoundResult {
  readonly ok: boolean;
  readonly seed: number;
  /** Why it is not ok. */
  readonly fault: string | undefined;
  readonly disturbances: readonly string[];
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
  readonly torn: number;
  /** Requests that failed although nothing but the tool was killed. */
  readonly failedWithoutReason: number;
}

type Victim = 'tool' | 'proxy' | Side;
/** The tool most of all: its death is what nobody may notice. */
const VICTIMS: readonly Victim[] = ['tool', 'tool', 'tool', 'tool', 'proxy', 'source', 'target'];
const COMMANDS = ['sync', 'cutover', 'rollback', 'cutover', 'rollback', 'cutover'] as const;
/** How often a command is disturbed before it is left in peace. */
const MOST_DISTURBANCES = 3;
const LATEST_MS = 4000;
const ATTEMPTS = 6;

class Round {
  readonly disturbances: string[] = [];
  failedWithoutReason = 0;
  readonly #world: World;
  readonly #dice: Dice;
  readonly #say: (line: string) => void;

  constructor(world: World, dice: Dice, say: (line: string) => void) {
    this.#world = world;
    this.#dice = dice;
    this.#say = say;
  }

  async play(): Promise<void> {
    for (const command of COMMANDS) {
      const times = Math.floor(this.#dice.between(0, MOST_DISTURBANCES + 1));
      for (let n = 0; n < times; n++) await this.#disturb(command);
      await this.#finish(command);
    }
    if (!(await this.#world.isEqual())) throw new Error('The sides differ');
  }

  /** Starts the command and kills somebody while it works. */
  async #disturb(command: string): Promise<void> {
    const victim = this.#dice.pick(VICTIMS);
    const afterMs = this.#dice.between(0, LATEST_MS);
    const failedBefore = (await this.#world.failures()).length;
    const tool = this.#world.start([command]);
    await Promise.race([sleep(afterMs), tool.ended]);
    const last = tool.events.at(-1);
    const where = `${command}: ${victim} after ${Math.round(afterMs)} ms, behind ${last?.type ?? 'nothing'} ${JSON.stringify(last?.data ?? {}).slice(0, 80)}`;
    this.disturbances.push(where);
    this.#say(where);
    await this.#kill(victim, tool);
    const { exitCode, stderr } = await tool.ended;
    if (exitCode === 1 || exitCode === 5)
      throw new Error(`${where}: exit ${exitCode}\n${stderr.slice(-3000)}`);
    await this.#goesOn(victim === 'tool' ? failedBefore : undefined, where);
  }

  async #kill(victim: Victim, tool: Tool): Promise<void> {
    if (victim === 'tool') await tool.kill();
    else if (victim === 'proxy') {
      await this.#world.killProxy();
      await this.#world.startProxy();
    } else {
      await this.#world.servers[victim].crash();
      await sleep(this.#dice.between(0, 1000));
      await this.#world.servers[victim].start();
    }
  }

  /** By itself, without another command. At most one side takes writes. */
  async #goesOn(failedBefore: number | undefined, where: string): Promise<void> {
    const doors = await this.#world.doors();
    if (doors.source === 'open' && doors.target === 'open' && (await this.#isFenced()))
      throw new Error(`${where}: both sides take writes`);
    await this.#world.trafficGoesOn();
    await this.#world.requestsSucceed();
    if (failedBefore === undefined) return;
    const failed = (await this.#world.failures()).length - failedBefore;
    if (failed > 0) this.#say(`${failed} requests failed`);
    this.failedWithoutReason += failed;
  }

  /** Before the first sync has ended the target is not fenced yet. */
  async #isFenced(): Promise<boolean> {
    return (await this.#world.status()).phase !== 'syncing';
  }

  async #finish(command: (typeof COMMANDS)[number]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { activeSide, phase, problems, next } = await this.#world.status();
      const wanted: Side = command === 'cutover' ? 'target' : 'source';
      const isThere = activeSide === wanted && (command !== 'sync' || phase === 'following');
      if (isThere && problems.length === 0) return;
      // A link whose connection broke is back within seconds: verify, like any command that needs it, waits for it.
      const isOver = isThere && next !== `pgglide ${command}`;
      const { exitCode, signal, stdout, stderr } = await this.#world.run([isOver ? 'verify' : command]);
      if (exitCode === 0) continue;
      if (attempt >= ATTEMPTS || exitCode === 1 || exitCode === 5) {
        throw new Error(`${command}: exit ${exitCode ?? signal}\n${stdout}${stderr.slice(-3000)}`);
      }
      this.#say(`${command}: exit ${exitCode}, again`);
      await sleep(1000);
    }
  }
}

export async function playRound(seed: number, say: (line: string) => void): Promise<RoundResult> {
  const dice = new Dice(seed);
  const config = ['copy: { jobs: 2, rateLimit: 3MB/s }'];
  await using world = await World.create({
    rows: Math.round(dice.between(2_000, 30_000)),
    rate: 100,
    config,
  });
  await world.startProxy();
  await world.startLoad();
  const round = new Round(world, dice, say);
  const fault = await round.play().then(
    () => undefined,
    (error: Error) => error.message,
  );
  const audit = await world.audit(fault === undefined ? 'target' : await activeSide(world));
  const { acknowledged, lost, doubled, torn } = audit;
  const { disturbances, failedWithoutReason } = round;
  const ok = fault === undefined && audit.ok && failedWithoutReason === 0;
  return { ok, seed, fault, disturbances, acknowledged, lost, doubled, torn, failedWithoutReason };
}

/** Where the audit of a round that broke has to look. */
const activeSide = (world: World): Promise<Side> =>
  world.status().then(
    (status) => status.activeSide,
    () => 'source',
  );
