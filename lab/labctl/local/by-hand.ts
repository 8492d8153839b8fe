/** Something that the learner runs beside the lab: a proxy, a pooler. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, type Paths } from '../folder.ts';
import { endProcess, ensureRunning } from './processes.ts';

const OWN = new Set(['source', 'target', 'shop-1', 'shop-2', 'front', 'load']);

export interface ByHand {
  readonly name: string;
  readonly command: readonly string[];
  /** What its log says when it is ready. */
  readonly until: string | undefined;
}

export async function startByHand(paths: Paths, { name, command, until }: ByHand): Promise<void> {
  requireFree(name);
  if (command.length === 0) throw new LabError('No command');
  const log = join(paths.logs, `${name}.log`);
  const before = existsSync(log) ? readFileSync(log).length : 0;
  const isReady = async () => until === undefined || readFileSync(log, 'utf8').slice(before).includes(until);
  await ensureRunning(paths, { name, command, environment: {}, isReady });
}

export async function stopByHand(paths: Paths, name: string): Promise<string> {
  requireFree(name);
  return (await endProcess(paths, name)) ? `${name} ended` : `${name} does not run`;
}

/** @throws {LabError} the lab's own, or none at all */
function requireFree(name: string): void {
  if (!/^[a-z][a-z0-9-]*$/.test(name) || OWN.has(name)) throw new LabError(`Not a free name: "${name}"`);
}
