import { readFileSync } from 'node:fs';

/** Resident bytes of a process and its children. */
export function residentBytes(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  const kilobytes = [String(pid), ...children].filter(Boolean).map((each) => {
    const status = readFileSync(`/proc/${each}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  });
  return 1024 * kilobytes.reduce((sum, each) => sum + each, 0);
}
