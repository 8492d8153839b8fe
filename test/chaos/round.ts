/** One migration from sync to its completion, disturbed on its way. */

import { sleep } from '../../src/base/async.ts';
import { SIDES, type Side } from '../../src/domain/names.ts';
import { IN_THE_PAUSE } from '../e2e/kill-points.ts';
import type { Tool } from '../e2e/tool.ts';
import { World } from '../e2e/world.ts';
import { BUSTLE_SETTINGS, Bustle, type BustleAudit, PREPARE_BUSTLE, SECOND } from './bustle.ts';
import { type Command, isFault, withYes } from './commands.ts';
import { pickDeed } from './deeds.ts';
import { Dice } from './dice.ts';
import { DoorWatch } from './door-watch.ts';
import { Follower } from './follower.ts';

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
  /** Requests that failed although nothing was done that may fail one. */
  readonly failedWithoutReason: number;
}

const SWITCHES = ['cutover', 'rollback', 'cutover', 'rollback', 'cutover'] as const;
/** How often a command is disturbed before it is left in peace. */
const MOST_DISTURBANCES = 3;
const LATEST_MS = 4000;
const ATTEMPTS = 10;

class Round {
  readonly disturbances: string[] = [];
  failedWithoutReason = 0;
  #follower: Follower | undefined;
  readonly #world: World;
  readonly #bustles: readonly Bustle[];
  readonly #dice: Dice;
  readonly #say: (line: string) => void;

  constructor(world: World, bustles: readonly Bustle[], dice: Dice, say: (line: string) => void) {
    this.#world = world;
    this.#bustles = bustles;
    this.#dice = dice;
    this.#say = say;
  }

  /** Up to where the writes are judged. */
  async play(): Promise<void> {
    const isAbortedFirst = this.#dice.roll() < 0.25;
    if (isAbortedFirst) {
      for (const command of ['sync', 'abort'] as const) await this.#step(command);
      await this.#expectLeft('abort', /^$/);
    }
    await this.#step('sync');
    if (this.#dice.roll() < 0.5)
      this.#follower = new Follower(this.#world, new Dice(this.#dice.roll() * 2 ** 32));
    for (const command of SWITCHES) await this.#step(command);
    if (!(await this.#world.isEqual())) throw new Error('The sides differ');
  }

  /** Nothing of ours holds WAL any more, and traffic goes on. */
  async complete(): Promise<void> {
    await this.#disturb('complete');
    await this.#untilDone('complete');
    await this.#follower?.endsByItself();
    await this.#expectLeft('complete', /^(schema|fence)/);
    for (const database of this.#world.databases) {
      const doors = await this.#world.doors(database);
      if (doors.source !== 'fenced' || doors.target !== 'open') throw new Error(JSON.stringify(doors));
    }
  }

  async #expectLeft(command: Command, mayStay: RegExp): Promise<void> {
    for (const database of this.#world.databases) {
      for (const side of SIDES) {
        const left = (await this.#world.ours(side, database)).filter((what) => !mayStay.test(what));
        if (left.length > 0)
          throw new Error(`${command} has left in ${database} of the ${side}: ${left.join(', ')}`);
      }
    }
  }

  /** @returns what was wrong with it */
  async stopFollowing(): Promise<string | undefined> {
    return this.#follower?.stop();
  }

  async #step(command: Command): Promise<void> {
    const times = Math.floor(this.#dice.between(0, MOST_DISTURBANCES + 1));
    for (let n = 0; n < times; n++) await this.#disturb(command);
    if (command === 'abort') await this.#untilDone(command);
    else await this.#finish(command);
  }

  /** Starts the command, and does something while it works. */
  async #disturb(command: Command): Promise<void> {
    const deed = pickDeed(this.#dice, command);
    const afterMs = this.#dice.between(0, LATEST_MS);
    const point = this.#dice.pick(Object.keys(IN_THE_PAUSE)) as keyof typeof IN_THE_PAUSE;
    const isAtOnce = deed.isAtOnce ?? false;
    const isInPause =
      this.#dice.roll() < 0.5 && !isAtOnce && (command === 'cutover' || command === 'rollback');
    const before = await this.#failures();
    const tool = this.#world.start(
      withYes(command),
      isInPause ? { ...IN_THE_PAUSE[point], signal: 'SIGSTOP' } : undefined,
    );
    const moment = isInPause ? stopOf(tool) : sleep(isAtOnce ? 0 : afterMs);
    await Promise.race([moment, tool.ended]);
    const last = tool.events.at(-1);
    const when = isAtOnce ? 'at once' : isInPause ? `at ${point}` : `after ${Math.round(afterMs)} ms`;
    const where = `${command}: ${deed.name} ${when}, behind ${last?.type ?? 'nothing'} ${JSON.stringify(last?.data ?? {}).slice(0, 80)}`;
    this.disturbances.push(where);
    this.#say(where);
    const done = await deed.run({ world: this.#world, dice: this.#dice, command, tool, say: this.#say });
    tool.goOn();
    const { exitCode, stdout, stderr } = await tool.ended;
    await done?.rest;
    if (isFault(exitCode, stderr))
      throw new Error(`${where}: exit ${exitCode}\n${stdout}${stderr.slice(-3000)}`);
    // By then the load has been stopped and judged.
    if (command !== 'complete') await this.#goesOn(deed.isHarmless ? before : undefined);
  }

  /** By itself, without another command. */
  async #goesOn(before: readonly string[] | undefined): Promise<void> {
    await this.#world.trafficGoesOn();
    await this.#world.requestsSucceed();
    for (const bustle of this.#bustles) await bustle.goesOn();
    if (before === undefined) return;
    const failed = (await this.#failures()).slice(before.length);
    if (failed.length > 0) this.#say(`${failed.length} requests failed: ${failed.slice(0, 3).join(' | ')}`);
    this.failedWithoutReason += failed.length;
  }

  async #failures(): Promise<string[]> {
    const ofShop = (await this.#world.failures()).map((outcome) => JSON.stringify(outcome));
    return [...ofShop, ...this.#bustles.flatMap(({ failures }) => failures)];
  }

  async #finish(command: Command): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { activeSide, phase, problems, next } = await this.#world.status();
      const wanted: Side = command === 'cutover' ? 'target' : 'source';
      const isThere = activeSide === wanted && (command !== 'sync' || phase === 'following');
      if (isThere && problems.length === 0) return;
      // A link whose connection broke is back within seconds: verify, like any command that needs it, waits for it.
      const isOver = isThere && next !== `pgglide ${command}`;
      // Tables that were made meanwhile join.
      const isJoining = attempt % 2 === 0 && command !== 'sync';
      await this.#attempt(isJoining ? 'sync' : isOver ? 'verify' : command, attempt);
    }
  }

  /** A rival's switch may have been first: it is taken back. */
  async #untilDone(command: 'abort' | 'complete'): Promise<void> {
    for (let attempt = 1; !(await this.#attempt(command, attempt)); attempt++) {
      const { phase } = await this.#world.status();
      if (command === 'abort' && phase === 'switched') await this.#finish('rollback');
      if (command === 'complete' && phase === 'following') await this.#finish('cutover');
    }
  }

  async #attempt(command: string, attempt: number): Promise<boolean> {
    const { exitCode, signal, stdout, stderr } = await this.#world.run(withYes(command));
    if (exitCode === 0) return true;
    if (attempt >= ATTEMPTS || isFault(exitCode, stderr)) {
      throw new Error(`${command}: exit ${exitCode ?? signal}\n${stdout}${stderr.slice(-3000)}`);
    }
    const [, why] = /"error":\{"code":"([^"]+)"/.exec(stderr) ?? [];
    this.#say(`${command}: exit ${exitCode} ${why}, again`);
    // A tool that was killed right between altering the link and noting that leaves one that looks altered.
    if (why === 'not_verified' || why === 'not_ready') await this.#world.run(['verify']);
    await sleep(1000);
    return false;
  }
}

/** Of a tool that may end before it comes to where it would stop. */
const stopOf = (tool: Tool): Promise<void> => tool.hasStopped().catch(() => undefined);

export async function playRound(seed: number, say: (line: string) => void): Promise<RoundResult> {
  const dice = new Dice(seed);
  const lanes = dice.pick([1, 1, 3]);
  await using world = await World.create({
    rows: Math.round(dice.between(2_000, 30_000)),
    rate: 50,
    prepare: PREPARE_BUSTLE,
    ...(dice.roll() < 0.5 ? { second: SECOND } : {}),
    settings: BUSTLE_SETTINGS,
    proxyWorkers: dice.pick([1, 2]),
    config: ['copy: { jobs: 2, rateLimit: 3MB/s }', `replication: { lanes: ${lanes}, divide: tables }`],
  });
  await world.startProxy();
  await world.startLoad();
  say(`Seed ${seed}: ${world.databases.join(', ')}`);
  const bustles = world.databases.map(
    (name, place) => new Bustle(world, name, new Dice(seed + 1 + place), 2),
  );
  const watch = new DoorWatch(world);
  const round = new Round(world, bustles, dice, say);
  const outcome = (work: Promise<void>) =>
    work.then(
      () => undefined,
      (error: Error) => error.message,
    );
  let fault = await outcome(round.play());
  await Promise.all(bustles.map((bustle) => bustle.stop()));
  const active = fault === undefined ? 'target' : await activeSide(world);
  const audit = await world.audit(active);
  const others = sum(await Promise.all(bustles.map((bustle) => bustle.audit(active))));
  fault ??= await outcome(round.complete());
  fault =
    [fault, await watch.stop(), await round.stopFollowing(), describe(others)].filter(Boolean).join('\n') ||
    undefined;
  const { disturbances, failedWithoutReason } = round;
  return {
    ok: fault === undefined && audit.ok && failedWithoutReason === 0,
    seed,
    fault,
    disturbances,
    acknowledged: audit.acknowledged + others.acknowledged,
    lost: audit.lost + others.lost.length,
    doubled: audit.doubled + others.doubled.length,
    torn: audit.torn,
    failedWithoutReason,
  };
}

const sum = (audits: readonly BustleAudit[]): BustleAudit => ({
  acknowledged: audits.reduce((total, { acknowledged }) => total + acknowledged, 0),
  lost: audits.flatMap(({ lost }) => lost),
  doubled: audits.flatMap(({ doubled }) => doubled),
});

const describe = ({ lost, doubled }: BustleAudit): string | undefined =>
  lost.length + doubled.length === 0
    ? undefined
    : `Other clients: lost ${lost.slice(0, 20).join(' ')}, doubled ${doubled.slice(0, 20).join(' ')}`;

/** Where the audit of a round that broke has to look. */
const activeSide = (world: World): Promise<Side> =>
  world.status().then(
    (status) => status.activeSide,
    () => 'source',
  );
