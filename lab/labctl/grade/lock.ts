/** One grading at a time: two would take each other's probes away. */

import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, type Paths } from '../folder.ts';
import { isAlive, type ProcessRecord, startTimeOf } from '../local/processes.ts';

/** @throws {LabError} another one runs */
export function takeLock(paths: Paths): Disposable {
  const path = join(paths.grader, 'lock');
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, JSON.stringify({ pid: process.pid, startedAt: startTimeOf(process.pid) ?? '' }));
      closeSync(file);
      return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = ownerOf(path);
      if (owner !== undefined && isAlive(owner))
        throw new LabError(`Another grading (pid ${owner.pid}) is under way: wait for its end`);
      rmSync(path, { force: true }); // left behind by one that was killed
    }
  }
  throw new LabError('Another grading took the lock at this moment: try again');
}

/** Undefined: gone again, or not written yet. */
function ownerOf(path: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord;
  } catch {
    return undefined;
  }
}
