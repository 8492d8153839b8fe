/** Where traffic points, kept across restarts: replaced by an atomic rename, so that it is never half written. */

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SIDES, type Side } from '../domain/names.ts';
import type { Direction } from './options.ts';

export interface KeptDirection extends Direction {
  /** "host:port" of the side's server; undefined in a file of before it was kept. */
  readonly server?: string | undefined;
  /** A commit point had been announced and its outcome was not known yet: the other side may be the active one. */
  readonly isSwitching: boolean;
}

/**
 * Undefined when there is no such file. `blank`: after a power failure some file systems have the name and not what was written.
 * Any other file that cannot be understood is an error: guessing would be worse.
 */
export function readStateFile(path: string): KeptDirection | 'blank' | undefined {
  const text = textOf(path);
  if (text === undefined) return undefined;
  if (/^\0*$/.test(text)) return 'blank';
  const { side, epoch, server, isSwitching = false } = parsed(text);
  if ((side !== 'source' && side !== 'target') || typeof epoch !== 'number') {
    throw new Error(`The state file ${path} does not say where traffic points`);
  }
  return { side, epoch, server, isSwitching };
}

/**
 * The same for these servers: the target of one upgrade is the source of the next, and a file that took the word's meaning
 * with it would send clients to a server that is still empty.
 */
export function keptFor(
  servers: Readonly<Record<Side, string>>,
  kept: KeptDirection | 'blank' | undefined,
): KeptDirection | 'blank' | 'other-servers' | undefined {
  if (kept === undefined || kept === 'blank') return kept;
  if (kept.server === undefined || kept.server === servers[kept.side]) return kept;
  const side = SIDES.find((each) => servers[each] === kept.server);
  return side === undefined ? 'other-servers' : { ...kept, side, epoch: 0 };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parsed(text: string): Partial<KeptDirection> {
  try {
    return (JSON.parse(text) ?? {}) as Partial<KeptDirection>;
  } catch {
    return {};
  }
}

/** What says so already is left alone: a restart on a full disk needs no room. */
export function writeStateFile(path: string, kept: KeptDirection): void {
  const text = `${JSON.stringify(kept)}\n`;
  if (textOf(path) === text) return;
  const temporary = `${path}.${process.pid}`;
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    // A supervisor that starts us again and again would leave one each time.
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** There is no room, as opposed to a path that is wrong. */
export const isDiskFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

/** As far as that is possible: whoever starts next asks the migration's row alone. */
export function removeStateFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A folder that nothing can be done in.
  }
}
