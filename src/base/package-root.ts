/** Finds files that ship beside the code (sql/, lab/), whether it runs from src or from dist. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('pgglide is not installed whole: no package.json above its code');
    folder = parent;
  }
  return folder;
}

/** Absolute path of a file or folder of the package. */
export const packagePath = (...parts: readonly string[]): string => join(findRoot(), ...parts);
