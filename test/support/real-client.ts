/** Clients of test/clients: programs that write to one table until their input ends, through a proxy that switches meanwhile. */

import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { until } from '../../src/base/async.ts';
import type { Database } from './database.ts';
import type { ProxyBed } from './proxy-bed.ts';
import { startProxyBed } from './proxy-bed.ts';

export const SWITCHES = 10;

/** Whether the command runs and ends with 0: a program, or one that has the library which a client needs. */
export function canRun(program: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export const hasProgram = (program: string): boolean => canRun(program, '--version');

export const clientFile = (name: string): string =>
  fileURLToPath(new URL(`../clients/${name}`, import.meta.url));

/** Each switch waits until the workload has done something since the last one. */
export async function switchTenTimes(bed: ProxyBed, done: () => number | Promise<number>): Promise<void> {
  for (let turn = 0; turn < SWITCHES; turn++) {
    const before = await done();
    await until('work between two switches', async () => ((await done()) > before ? true : undefined), {
      timeoutMs: 20_000,
    });
    await bed.switchSides();
  }
}

const TABLE = `CREATE TYPE mood AS ENUM ('fine', 'bad');
  CREATE TABLE tally (id serial PRIMARY KEY, worker int NOT NULL, n int NOT NULL)`;

/** The table on both sides, a type that has another OID on each, and a proxy before them. */
export async function startTallyBed(source: Database, target: Database): Promise<ProxyBed> {
  await target.exec("CREATE TYPE other AS ENUM ('x')");
  for (const side of [source, target]) await side.exec(TABLE);
  return startProxyBed(source, target);
}

/** Nothing is replicated here: what went to either side must add up. */
export async function written(source: Database, target: Database): Promise<string[]> {
  const rows = await Promise.all(
    [source, target].map((side) => side.rows<{ k: string }>("SELECT worker || '/' || n AS k FROM tally")),
  );
  return rows.flat().map(({ k }) => k);
}

export const environment = (bed: ProxyBed): NodeJS.ProcessEnv => ({
  ...process.env,
  PGHOST: '127.0.0.1',
  PGPORT: String(bed.proxy.port),
  PGUSER: bed.role,
  PGPASSWORD: bed.password,
  PGDATABASE: bed.database,
  PGSSLMODE: 'prefer',
  PYTHONDONTWRITEBYTECODE: '1',
});

/** Starts a client that prints a line for each write it was promised, and ends when its input does. */
export function startClient(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(program, args, { env });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (data: Buffer) => {
    output += String(data);
  });
  child.stderr.on('data', (data: Buffer) => {
    errors += String(data);
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const lines = () => output.split('\n').filter((line) => line !== '');
  return {
    child,
    lines,
    get errors() {
      return errors;
    },
    async end(): Promise<string[]> {
      child.stdin.end();
      expect([await ended, errors]).toEqual([0, '']);
      return lines();
    },
  };
}

/** Every write that the client was promised is there once, and no other. */
export async function switchUnder(
  { source, target }: { readonly source: Database; readonly target: Database },
  start: (bed: ProxyBed) => Promise<ReturnType<typeof startClient>> | ReturnType<typeof startClient>,
): Promise<void> {
  await using bed = await startTallyBed(source, target);
  const client = await start(bed);
  try {
    await switchTenTimes(bed, () => client.lines().length);
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${client.errors}`, { cause: error });
  }
  const acknowledged = await client.end();
  expect((await written(source, target)).sort()).toEqual(acknowledged.sort());
}
