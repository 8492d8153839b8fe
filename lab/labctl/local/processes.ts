/** Processes that outlive the command that started them: known by pid and start time, ended by pid alone. */

import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError, type Paths, readJson, writeJson } from '../folder.ts';

export interface ProcessRecord {
  readonly pid: number;
  /** With the pid, names one process for good. */
  readonly startedAt: string;
}

/** Undefined: there is no such process; one that has ended and waits for its parent does not count. */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return startTimeByPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function startTimeByPs(pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

export const isAlive = ({ pid, startedAt }: ProcessRecord): boolean => startTimeOf(pid) === startedAt;

const recordPath = (paths: Paths, name: string): string => join(paths.run, `${name}.json`);

/** Of a process that was started here and still runs. */
export function runningProcess(paths: Paths, name: string): ProcessRecord | undefined {
  const record = readJson<ProcessRecord>(recordPath(paths, name));
  return record !== undefined && isAlive(record) ? record : undefined;
}

export function remember(paths: Paths, name: string, pid: number): ProcessRecord {
  const startedAt = startTimeOf(pid);
  if (startedAt === undefined) throw new LabError(`${name} ended at once: see ${paths.logs}`, 1);
  const record = { pid, startedAt };
  writeJson(recordPath(paths, name), record);
  return record;
}

export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** True when it is ready for others. */
  isReady(): Promise<boolean>;
}

const READY_TIMEOUT_MS = 60_000;

/** Does nothing when it runs already. Rejects with the end of its log when it ends instead of becoming ready. */
export async function ensureRunning(paths: Paths, program: Program): Promise<'started' | 'running'> {
  const { name, command, environment } = program;
  if (runningProcess(paths, name) !== undefined) return 'running';
  mkdirSync(paths.logs, { recursive: true });
  const logPath = join(paths.logs, `${name}.log`);
  const log = openSync(logPath, 'a', 0o600);
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd: paths.folder,
    detached: true,
    env: { ...process.env, ...environment },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  // One that cannot run has no pid: that is told below.
  child.once('error', () => undefined);
  if (child.pid === undefined) throw new LabError(`${name}: cannot run ${file}`, 1);
  const record = remember(paths, name, child.pid);
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!(await program.isReady().catch(() => false))) {
    if (!isAlive(record) || performance.now() > deadline) {
      const end = readFileSync(logPath, 'utf8').split('\n').slice(-15).join('\n');
      throw new LabError(`${name} did not become ready:\n${end}`, 1);
    }
    await delay(50);
  }
  return 'started';
}

/** Ends it and waits for its end; after 10 s without asking. Nothing happens when it does not run. */
export async function endProcess(
  paths: Paths,
  name: string,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<boolean> {
  const record = runningProcess(paths, name);
  if (record !== undefined) {
    process.kill(record.pid, 'SIGCONT');
    process.kill(record.pid, signal);
    const deadline = performance.now() + 10_000;
    while (isAlive(record)) {
      if (performance.now() > deadline) process.kill(record.pid, 'SIGKILL');
      await delay(20);
    }
  }
  rmSync(recordPath(paths, name), { force: true });
  return record !== undefined;
}
