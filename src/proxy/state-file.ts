/** Where traffic points, kept across restarts: replaced by an atomic rename, so that it is never half written. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Direction } from './options.ts';

/** Undefined when there is no such file. A file that cannot be understood is an error: guessing would be worse. */
export function readStateFile(path: string): Direction | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { side, epoch } = JSON.parse(text) as Partial<Direction>;
  if ((side !== 'source' && side !== 'target') || typeof epoch !== 'number') {
    throw new Error(`The state file ${path} does not say where traffic points`);
  }
  return { side, epoch };
}

export function writeStateFile(path: string, direction: Direction): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(direction)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}
