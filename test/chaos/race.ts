/** Two commands begun at the same moment by two processes, one of which may be killed: at most one is at work, and traffic is where one of them says. */

import { sleep } from '../../src/base/async.ts';
import type { Side } from '../../src/domain/names.ts';
import type { Ended, Tool } from '../e2e/tool.ts';
import { type Command, isFault, withYes } from './commands.ts';
import type { Scene } from './deeds.ts';

const RIVALS: Readonly<Record<Command, readonly Command[]>> = {
  sync: ['sync', 'abort'],
  abort: ['sync', 'abort', 'cutover', 'rollback'],
  cutover: ['cutover', 'rollback', 'abort', 'sync'],
  rollback: ['rollback', 'cutover', 'abort', 'sync'],
  complete: ['complete', 'rollback', 'sync'],
};
const LATEST_KILL_MS = 6_000;
/** Given up, refused, or another one is at work: traffic stays. */
const STAYS: readonly (number | undefined)[] = [6, 7, 8];

const GOALS: Readonly<Partial<Record<Command, Side>>> = {
  abort: 'source',
  cutover: 'target',
  rollback: 'source',
  complete: 'target',
};

interface Goal {
  readonly side: Side;
  /** It says so. */
  readonly isSure: boolean;
}

interface Runner {
  readonly command: Command;
  readonly tool: Tool;
}

export async function race({ world, dice, command, tool, say }: Scene): Promise<void> {
  const before = (await world.proxyState())?.activeSide;
  const second = dice.pick(RIVALS[command]);
  const runners: readonly Runner[] = [
    { command, tool },
    { command: second, tool: world.start(withYes(second)) },
  ];
  // Or nobody.
  const victim = runners[Math.floor(dice.between(0, runners.length + 1))];
  const killAfterMs = dice.between(0, LATEST_KILL_MS);
  const ends = Promise.all(runners.map((runner) => runner.tool.ended));
  if (victim !== undefined) {
    await Promise.race([sleep(killAfterMs), ends]);
    await victim.tool.kill();
  }
  const ended = await ends;
  const said = runners.map((runner, place) => describe(runner, ended[place] as Ended)).join('\n');
  say(runners.map((runner, place) => briefly(runner, ended[place] as Ended)).join(' and '));
  if (ended.some(({ exitCode, stderr }) => isFault(exitCode, stderr))) throw new Error(said);
  const switches = runners.flatMap((runner) => switchesOf(runner.tool));
  if (victim === undefined && new Set(switches).size < switches.length)
    throw new Error(`Both made the same switch:\n${said}`);
  const goals = runners.flatMap((runner, place) => goalOf(runner, ended[place] as Ended) ?? []);
  const possible = goals.map(({ side }) => side);
  if (before !== undefined && !goals.some(({ isSure }) => isSure)) possible.push(before);
  const now = await world.trafficGoesOn();
  if (!possible.includes(now)) throw new Error(`Traffic is on the ${now}, was on the ${before}:\n${said}`);
}

/** Where the command leaves traffic, or may have; undefined when it says that nothing was done. */
function goalOf({ command }: Runner, { exitCode }: Ended): Goal | undefined {
  const side = GOALS[command];
  return side === undefined || STAYS.includes(exitCode) ? undefined : { side, isSure: exitCode === 0 };
}

/** By their epochs, each of which is one switch's. */
const switchesOf = (tool: Tool): number[] =>
  tool.events.flatMap(({ type, data }) => (type === 'switchover-finished' ? [data.epoch] : []));

const briefly = ({ command }: Runner, { exitCode, signal }: Ended): string =>
  `${command}: exit ${exitCode ?? signal}`;

const describe = (runner: Runner, ended: Ended): string =>
  `${briefly(runner, ended)}\n${ended.stdout}${ended.stderr.slice(-3000)}`;
