/** The lab's own tool; setup.sh, grade.sh and the solutions call it, and so may the learner. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Backend, UpOptions } from './backend.ts';
import {
  type ClusterRecord,
  claimFolder,
  LabError,
  type LabRecord,
  type Paths,
  pathsOf,
  readRecord,
} from './folder.ts';
import { runGrade } from './grade/main.ts';
import { AROUND_MS } from './grade/waits-told.ts';
import { clusterBackend } from './k8s/backend.ts';
import { localBackend } from './local/backend.ts';
import { startByHand, stopByHand } from './local/by-hand.ts';
import { startFront } from './local/front.ts';
import { takeLock } from './lock.ts';
import { trafficLines } from './traffic.ts';

const USAGE = `labctl [--dir D] COMMAND
  info                          where everything is, and which server the shop uses
  target start|stop             deploy PostgreSQL 16 with an empty database "shop"; stop it (its data stays)
  app HOST:PORT [--unprepared]  point the shop at another address; returns when both replicas have gone over
  traffic [--around TIME]       figures of the load, of all its time or of 10 s on both sides of a moment
  start NAME [--until TEXT] -- COMMAND...
                                run something beside a lab without a cluster; setup.sh --down ends it, too
  stop NAME                     end it`;

const OPTIONS = {
  dir: { type: 'string' },
  mode: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string' },
  image: { type: 'string' },
  rows: { type: 'string' },
  rate: { type: 'string' },
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
  const isEnding = command === 'down' || command === 'reset';
  const backend = backendFor(paths, isEnding ? undefined : values.mode);
  if (command === 'grade') return runGrade(paths, backend, values);
  const said = await run(paths, backend, command, rest, values);
  if (said !== '') console.log(said);
  return 0;
}

const BACKENDS: Readonly<Record<string, Backend>> = { local: localBackend, k8s: clusterBackend };

/** The mode of the lab that is there counts; without one, the wanted mode. */
function backendFor(paths: Paths, wanted: string | undefined): Backend {
  const found = readRecord(paths)?.mode;
  if (found !== undefined && wanted !== undefined && found !== wanted)
    throw new LabError(
      `The lab in ${paths.folder} is of --mode ${found}: end it with --down, or take another --dir`,
    );
  const backend = BACKENDS[found ?? wanted ?? 'local'];
  if (backend === undefined) throw new LabError(`--mode ${wanted} is unknown. There are: local, k8s`);
  return backend;
}

async function run(
  paths: Paths,
  backend: Backend,
  command: string,
  rest: string[],
  values: Values,
): Promise<string> {
  const [first = ''] = rest;
  switch (command) {
    case 'up':
      return up(paths, backend, upOptions(values));
    case 'down':
      return (await down(paths, backend))
        ? `The lab in ${paths.folder} is gone`
        : 'There is no lab to take down';
    case 'reset': {
      const before = readRecord(paths);
      const options = upOptions(values, before);
      await down(paths, backend);
      return up(paths, backendFor(paths, values.mode ?? before?.mode), options);
    }
    case 'info':
      return backend.info(paths);
    case 'target':
      if (first === 'start') return backend.startTarget(paths);
      if (first === 'stop') return backend.stopTarget(paths);
      throw new LabError(USAGE);
    case 'app': {
      const [host = '', port] = first.split(':');
      const address = { host, port: whole('the port', port ?? '', 1, 65_535) };
      await backend.pointShopAt(
        paths,
        values.unprepared ? { ...address, preparedStatements: false } : address,
      );
      return `The shop uses ${first}`;
    }
    case 'traffic':
      await backend.fetchLedger(paths);
      return trafficLines(paths, windowOf(values.around));
    case 'start':
      await startByHand(paths, { name: first, command: rest.slice(1), until: values.until });
      return '';
    case 'stop':
      return stopByHand(paths, first);
    case 'front':
      startFront(Number(first), rest.slice(1).map(Number));
      return '';
    default:
      throw new LabError(USAGE);
  }
}

async function up(paths: Paths, backend: Backend, options: UpOptions): Promise<string> {
  claimFolder(paths);
  using _lock = takeLock(paths, 'setup');
  await backend.up(paths, options);
  return backend.info(paths);
}

async function down(paths: Paths, backend: Backend): Promise<boolean> {
  using _lock = existsSync(paths.grader) ? takeLock(paths, 'setup') : undefined;
  return await backend.down(paths);
}

/** What is not said is as it was before. */
function upOptions(values: Values, before?: LabRecord): UpOptions {
  const { context, namespace, image }: Partial<ClusterRecord> = before?.mode === 'k8s' ? before : {};
  return {
    rows: whole('--rows', values.rows ?? String(before?.rows ?? 200_000), 100, 100_000_000),
    rate: whole('--rate', values.rate ?? String(before?.rate ?? 500), 1, 5_000),
    context: values.context ?? context,
    namespace: values.namespace ?? namespace,
    image: values.image ?? image,
  };
}

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
