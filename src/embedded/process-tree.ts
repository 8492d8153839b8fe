/** Ends a process with all its children at once, as a power cut would. */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { until } from '../base/async.ts';

/**
 * SIGKILL for a process and its children. The parent is halted first, so that it starts no
 * further child meanwhile. Resolves when they are gone: until then a restart would find
 * the old shared memory in use.
 */
export async function killTree(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const all = [...childrenOf(pid), pid];
  for (const one of all) kill(one);
  await until('the end of killed server processes', async () => (all.some(isRunning) ? undefined : true), {
    timeoutMs: 10_000,
    intervalMs: 5,
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** True for a process that runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  const stat = processStat(pid);
  if (stat !== undefined) return stat.state !== 'Z' && stat.state !== 'X';
  if (process.platform === 'linux') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function childrenOf(parent: number): number[] {
  if (process.platform !== 'linux') return childrenByPgrep(parent);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => processStat(pid)?.parent === parent);
}

function childrenByPgrep(parent: number): number[] {
  try {
    return execFileSync('pgrep', ['-P', String(parent)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  } catch {
    return []; // pgrep exits 1 when there are none
  }
}

interface ProcessStat {
  readonly state: string;
  readonly parent: number;
  /** Clock ticks since boot: with the pid, it names one process for good. */
  readonly startedAt: string;
}

/** Undefined: no such process, or no /proc. @see proc_pid_stat(5) */
export function processStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in parentheses that may hold anything, parentheses included.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', parent: Number(fields[1]), startedAt: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
