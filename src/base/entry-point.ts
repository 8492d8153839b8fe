/** Programs of the package that run in a process or a thread of their own. */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packagePath } from './package-root.ts';

export interface EntryPoint {
  /** Absolute. */
  readonly file: string;
  /** Arguments for node: a source needs a TypeScript loader. */
  readonly loader: readonly string[];
}

/** `path`: as under the package's root, without its ending: "src/cli/proxy-worker". A build starts built programs, a source sources. */
export function entryPoint(path: string): EntryPoint {
  const isBuilt = extname(fileURLToPath(import.meta.url)) === '.js';
  return isBuilt
    ? { file: packagePath('dist', `${path}.js`), loader: [] }
    : { file: packagePath(`${path}.ts`), loader: ['--import', import.meta.resolve('tsx')] };
}
