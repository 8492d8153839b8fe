import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect } from 'vitest';
import { sweepStaleHomes } from './home.ts';
import { processStat } from './process-tree.ts';

const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants a fixture's first parameter destructured.
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
});

/** A temporary home as a process of that pid would have left it. */
function homeOf(folder: string, name: string, owner: object | undefined): string {
  const path = join(folder, name);
  mkdirSync(join(path, 'data'), { recursive: true });
  if (owner !== undefined) writeFileSync(join(path, 'owner.json'), JSON.stringify(owner));
  return path;
}

test('homes of dead processes are swept, all others stay', ({ folder }) => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  const startedAt = processStat(process.pid)?.startedAt;
  const stale = homeOf(folder, 'pgglide-server-stale', { pid: dead, startedAt: '1' });
  const reusedPid = homeOf(folder, 'pgglide-server-reused', { pid: process.pid, startedAt: '1' });
  const living = homeOf(folder, 'pgglide-server-living', { pid: process.pid, startedAt });
  const left = homeOf(folder, 'pgglide-server-left', undefined);
  const others = homeOf(folder, 'somebody-elses', { pid: dead, startedAt: '1' });
  sweepStaleHomes(folder);
  expect([stale, living, left, others].map(existsSync)).toEqual([false, true, true, true]);
  if (process.platform === 'linux') expect(existsSync(reusedPid)).toBe(false);
});
