/** Files that a command was asked to write. */

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../domain/errors.ts';

/** @throws {UsageError} `file_not_written` */
export function writeResultFile(file: string, cwd: string, text: string, overwrite = true): void {
  try {
    writeFileSync(resolve(cwd, file), text, { flag: overwrite ? 'w' : 'wx' });
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
