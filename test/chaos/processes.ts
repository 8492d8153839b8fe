/** Single processes of a server or a proxy, stopped for a while or killed. Linux. */

import { readFileSync } from 'node:fs';
import { sleep } from '../../src/base/async.ts';
import { childrenOf } from '../../src/embedded/process-tree.ts';

/** Children whose title matches: PostgreSQL's say what they do, as "postgres: walsender ...". */
export const childrenTitled = (parent: number | undefined, title: RegExp): number[] =>
  parent === undefined ? [] : childrenOf(parent).filter((pid) => title.test(titleOf(pid)));

/** They stand still, with what they hold, for so long. */
export async function freeze(pids: readonly number[], ms: number): Promise<void> {
  for (const pid of pids) signal(pid, 'SIGSTOP');
  await sleep(ms);
  for (const pid of pids) signal(pid, 'SIGCONT');
}

/** One that has gone meanwhile is left alone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
