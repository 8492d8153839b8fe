/** The lab's own tool; setup.sh, grade.sh and the solutions call it, and so may the learner. */

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LabError, type Paths, pathsOf } from './folder.ts';
import { runGrade } from './grade/main.ts';
import { info } from './info.ts';
import { pointShopAt } from './local/app-config.ts';
import { startByHand } from './local/by-hand.ts';
import { takeDown } from './local/down.ts';
import { startFront } from './local/front.ts';
import { endProcess } from './local/processes.ts';
import { startTarget, stopTarget } from './local/target.ts';
import { bringUp, recordOf } from './local/up.ts';
import { trafficLines } from './traffic.ts';

const USAGE = `labctl [--dir D] COMMAND
  info                          where everything is, and which server the shop uses
  target start|stop             deploy PostgreSQL 16 with an empty database "shop"; stop it (its data stays)
  app HOST:PORT [--unprepared]  point the shop at another address; returns when both replicas have gone over
  traffic [--around TIME]       figures of the load, of all its time or of 10 s on both sides of a moment
  start NAME [--until TEXT] -- COMMAND...
                                run something beside the lab; setup.sh --down ends it, too
  stop NAME                     end it`;

const OPTIONS = {
  dir: { type: 'string' },
  rows: { type: 'string', default: '200000' },
  rate: { type: 'string', default: '500' },
  around: { type: 'string' },
  until: { type: 'string' },
  unprepared: { type: 'boolean', default: false },
  json: { type: 'string' },
  list: { type: 'boolean', default: false },
  only: { type: 'string' },
  hints: { type: 'boolean', default: true },
} as const;

type Values = ReturnType<typeof parse>['values'];

const parse = (args: string[]) =>
  parseArgs({ args, options: OPTIONS, allowPositionals: true, allowNegative: true, strict: true });

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  const paths = pathsOf(resolve(values.dir ?? process.env.LAB_DIR ?? '.pgglide/lab'));
  const [command = '', ...rest] = positionals;
  if (command === 'grade') return runGrade(paths, values);
  const said = await run(paths, command, rest, values);
  if (said !== '') console.log(said);
  return 0;
}

async function run(paths: Paths, command: string, rest: string[], values: Values): Promise<string> {
  const [first = ''] = rest;
  switch (command) {
    case 'up': {
      const rows = whole('--rows', values.rows, 100, 100_000_000);
      const rate = whole('--rate', values.rate, 1, 5_000);
      await bringUp(paths, { rows, rate });
      return info(paths);
    }
    case 'down':
      return (await takeDown(paths)) ? `The lab in ${paths.folder} is gone` : 'There is no lab to take down';
    case 'info':
      return info(paths);
    case 'target':
      if (first === 'start') return startTarget(paths);
      if (first === 'stop') return stopTarget(paths);
      throw new LabError(USAGE);
    case 'app': {
      const [host = '', port] = first.split(':');
      const connection = { host, port: whole('the port', port ?? '', 1, 65_535) };
      recordOf(paths);
      await pointShopAt(paths, values.unprepared ? { ...connection, preparedStatements: false } : connection);
      return `The shop uses ${first}`;
    }
    case 'traffic':
      return trafficLines(paths, windowOf(values.around));
    case 'start':
      await startByHand(paths, { name: first, command: rest.slice(1), until: values.until });
      return '';
    case 'stop':
      return (await endProcess(paths, first)) ? `${first} ended` : `${first} does not run`;
    case 'front':
      startFront(Number(first), rest.slice(1).map(Number));
      return '';
    default:
      throw new LabError(USAGE);
  }
}

const AROUND_MS = 10_000;

function windowOf(around: string | undefined): { fromMs: number; toMs: number } {
  if (around === undefined) return { fromMs: 0, toMs: Number.POSITIVE_INFINITY };
  const at = Date.parse(around);
  if (Number.isNaN(at)) throw new LabError(`Not a time: ${around}`);
  return { fromMs: at - AROUND_MS, toMs: at + AROUND_MS };
}

function whole(what: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (text !== '' && Number.isInteger(number) && number >= least && number <= most) return number;
  throw new LabError(`${what} takes a whole number from ${least} to ${most}, not "${text}"`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error;
  const text = error instanceof Error ? error.message : String(error);
  const isPlain = error instanceof LabError || isUsage || 'hint' in (error as object);
  console.error(isPlain ? text : ((error as Error).stack ?? text));
  process.exitCode = error instanceof LabError ? error.exitCode : isUsage ? 2 : 1;
}
