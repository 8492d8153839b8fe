/** One setup at a time: two would overwrite each other's secrets. One grading: two would take each other's probes away. */

import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, type Paths } from './folder.ts';
import { isAlive, type ProcessRecord, startTimeOf } from './local/processes.ts';

const FILES = { grading: 'lock', setup: 'setup.lock' } as const;

/** The lab's folder must have been claimed. @throws {LabError} another one runs */
export function takeLock(paths: Paths, what: keyof typeof FILES): Disposable {
  const path = join(paths.grader, FILES[what]);
  for (let attempt = 0; attempt < 2; attempt++) {
    if (isMade(path)) return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    const owner = ownerOf(path);
    if (owner !== undefined && isAlive(owner))
      throw new LabError(`Another ${what} (pid ${owner.pid}) is under way: wait for its end`);
    rmSync(path, { force: true }); // left behind by one that was killed
  }
  throw new LabError(`Another ${what} took the lock at this moment: try again`);
}

/** With its content at once: nobody finds a lock that does not say whose it is. */
function isMade(path: string): boolean {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify({ pid: process.pid, startedAt: startTimeOf(process.pid) ?? '' }), {
    mode: 0o600,
  });
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Undefined: gone again. */
function ownerOf(path: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord;
  } catch {
    return undefined;
  }
}
