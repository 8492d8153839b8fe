/** What is done to tool, proxy and servers while a command works. */

import { sleep } from '../../src/base/async.ts';
import { SIDES, type Side } from '../../src/domain/names.ts';
import type { Tool } from '../e2e/tool.ts';
import type { World } from '../e2e/world.ts';
import type { Command } from './commands.ts';
import { CHANGE_NAMES, change } from './ddl.ts';
import type { Dice } from './dice.ts';
import { childrenTitled, freeze, signal } from './processes.ts';
import { race } from './race.ts';

export interface Scene {
  readonly world: World;
  readonly dice: Dice;
  readonly command: Command;
  readonly tool: Tool;
  readonly say: (line: string) => void;
}

interface Deed {
  readonly name: string;
  /** How often it is picked, against the others; 1 when omitted. */
  readonly weight?: number;
  /** No request may fail by it. */
  readonly isHarmless: boolean;
  /** In the switch only: a copy has nothing to overtake. */
  readonly ofSwitches?: true;
  /** Begun together with the command, not while it works. */
  readonly isAtOnce?: true;
  /** May resolve before all is done where it has to wait for the tool: `rest` then ends with it. */
  readonly run: (scene: Scene) => Promise<Rest>;
}
type Rest = { readonly rest: Promise<unknown> } | undefined;

const LONGEST_FREEZE_MS = 6_000;

const onServer =
  (side: Side, work: (scene: Scene) => Promise<unknown>) =>
  async (scene: Scene): Promise<Rest> => {
    await work(scene);
    await scene.world.servers[side].start();
    return undefined;
  };

/** Each of them for both sides. */
const ofServers = (side: Side): readonly Deed[] => [
  {
    name: `crash ${side}`,
    isHarmless: false,
    run: onServer(side, async ({ world, dice }) => {
      const downMs = dice.between(0, 1000);
      await world.servers[side].crash();
      await sleep(downMs);
    }),
  },
  {
    name: `restart ${side}`,
    isHarmless: false,
    run: onServer(side, ({ world }) => world.servers[side].stop()),
  },
  {
    name: `kill a session of ${side}`,
    isHarmless: false,
    async run({ world, dice }) {
      const which = dice.roll();
      const sessions = childrenTitled(world.servers[side].pid, /^postgres: (?!checkpointer|logger)/);
      const pid = sessions[Math.floor(which * sessions.length)];
      if (pid !== undefined) signal(pid, 'SIGKILL');
      return undefined;
    },
  },
  {
    name: `end sessions of the tool on ${side}`,
    isHarmless: true,
    async run({ world, dice }) {
      const share = dice.roll();
      await world.query(
        side,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name LIKE 'pgglide: %' AND pid % 7 <= ${Math.floor(share * 7)}`,
      );
      return undefined;
    },
  },
  ...['walsender', 'logical replication', 'checkpointer', 'walwriter'].map(
    (title): Deed => ({
      name: `freeze ${title} of ${side}`,
      isHarmless: true,
      async run({ world, dice }) {
        const ms = dice.between(0, LONGEST_FREEZE_MS);
        const pids = childrenTitled(world.servers[side].pid, new RegExp(`^postgres: ${title}`));
        return { rest: freeze(pids, ms) };
      },
    }),
  ),
];

const ofProxy: readonly Deed[] = [
  {
    name: 'kill proxy',
    weight: 2,
    isHarmless: false,
    async run({ world }) {
      await world.killProxy();
      await world.startProxy();
      return undefined;
    },
  },
  {
    name: 'kill a process of the proxy’s',
    weight: 2,
    isHarmless: false,
    async run({ world, dice }) {
      const which = dice.roll();
      const workers = childrenTitled(world.proxyPid, /./);
      const pid = workers[Math.floor(which * workers.length)];
      if (pid !== undefined) signal(pid, 'SIGKILL');
      return undefined;
    },
  },
  {
    name: 'freeze the proxy',
    weight: 2,
    isHarmless: false,
    async run({ world, dice }) {
      const ms = dice.between(0, LONGEST_FREEZE_MS);
      const all =
        world.proxyPid === undefined ? [] : [world.proxyPid, ...childrenTitled(world.proxyPid, /./)];
      return { rest: freeze(all, ms) };
    },
  },
];

const ofTool: readonly Deed[] = [
  {
    name: 'kill tool',
    weight: 8,
    isHarmless: true,
    async run({ tool }) {
      await tool.kill();
      return undefined;
    },
  },
  {
    name: 'freeze tool',
    weight: 3,
    isHarmless: true,
    async run({ tool, dice }) {
      await freeze([tool.pid], dice.between(0, 3 * LONGEST_FREEZE_MS));
      return undefined;
    },
  },
  {
    name: 'overtake tool',
    weight: 3,
    isHarmless: true,
    ofSwitches: true,
    async run({ world, tool, dice }) {
      const first = dice.pick(['cutover', 'rollback']);
      signal(tool.pid, 'SIGSTOP');
      await world.trafficGoesOn();
      for (const command of [first, first === 'cutover' ? 'rollback' : 'cutover'])
        await runToo(world, command);
      return undefined;
    },
  },
  {
    name: 'rival command',
    weight: 5,
    isHarmless: true,
    isAtOnce: true,
    async run(scene) {
      await race(scene);
      return undefined;
    },
  },
  {
    name: 'second command',
    weight: 3,
    isHarmless: true,
    async run({ world, dice, command }) {
      const second = dice.pick(
        command === 'sync' ? ['sync', 'verify', 'status'] : ['sync', 'cutover', 'rollback', 'verify'],
      );
      return { rest: runToo(world, second) };
    },
  },
];

const ofSchema: readonly Deed[] = CHANGE_NAMES.map((name) => ({
  name,
  isHarmless: true,
  ofSwitches: true,
  async run({ world, dice }: Scene) {
    return { rest: change(world, dice, name) };
  },
}));

async function runToo(world: World, command: string): Promise<void> {
  const { exitCode, stdout, stderr } = await world.run([command]);
  if (exitCode === 1) throw new Error(`${command} at the same time: ${stdout}${stderr.slice(-3000)}`);
}

const DEEDS: readonly Deed[] = [...ofTool, ...ofProxy, ...SIDES.flatMap(ofServers), ...ofSchema];

export function pickDeed(dice: Dice, command: Command): Deed {
  const possible = DEEDS.filter(({ ofSwitches }) => command !== 'sync' || !ofSwitches);
  return dice.pick(possible.flatMap((deed) => Array<Deed>(deed.weight ?? 1).fill(deed)));
}
