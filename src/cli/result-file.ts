/** Files that a command was asked to write. */

import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../domain/errors.ts';

/** @throws {UsageError} `file_not_written` */
export function writeResultFile(file: string, cwd: string, text: string, overwrite = true): void {
  try {
    if (overwrite) writeFileSync(resolve(cwd, file), text);
    else writeNew(resolve(cwd, file), text);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' ? 'it is there already' : String(code);
    throw new UsageError('file_not_written', `${file} was not written: ${reason}`, {
      hint:
        code === 'EEXIST' ? 'Move it away or name another file.' : 'Check the folder and its permissions.',
      cause,
    });
  }
}

/** Whole or not at all: half of it would be in the way of the next try. */
function writeNew(path: string, text: string): void {
  const file = openSync(path, 'wx');
  try {
    writeFileSync(file, text);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
