/** CPU time of whole programs, which says more than the clock where the machine has other work. Linux only. */

import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Seconds of the process, the children it has waited for, and its living children; undefined without /proc. */
function cpuSeconds(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  const own = statOf(pid);
  if (own === undefined) return undefined;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat?.parent === pid);
  const ticks = own.ticks + own.waitedTicks + children.reduce((sum, child) => sum + (child?.ticks ?? 0), 0);
  return ticks / TICKS_PER_SECOND;
}

/** Of several programs; undefined when one of them cannot be read. */
export function totalCpuSeconds(pids: readonly (number | undefined)[]): number | undefined {
  const parts = pids.map(cpuSeconds);
  return parts.reduce((sum, part) => (sum === undefined || part === undefined ? undefined : sum + part), 0);
}

function statOf(pid: number): { parent: number; ticks: number; waitedTicks: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ').map(Number) ?? [];
    const [, parent = 0, ...rest] = fields;
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = rest.slice(9, 13);
    return { parent, ticks: user + system, waitedTicks: childUser + childSystem };
  } catch {
    return undefined;
  }
}
