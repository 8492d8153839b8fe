/** Ends what the lab started, by pid, and removes its folder. */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { isForeign, LabError, type Paths } from '../folder.ts';
import { endProcess } from './processes.ts';
import { removeServer } from './servers.ts';

/** The load first, so that nobody meets a server that is going. Resolves to false when there was no lab. */
export async function takeDown(paths: Paths): Promise<boolean> {
  if (!existsSync(paths.folder)) return false;
  if (isForeign(paths)) throw new LabError(`${paths.folder} does not hold a lab: nothing was removed`);
  const running = existsSync(paths.run)
    ? readdirSync(paths.run)
        .filter((name) => name.endsWith('.json'))
        .map((name) => basename(name, '.json'))
    : [];
  const order = (name: string) => ['load', 'front', 'shop-1', 'shop-2'].indexOf(name);
  const others = running.filter((name) => name !== 'source' && name !== 'target');
  const isKnown = (name: string) => order(name) >= 0;
  for (const name of others.filter(isKnown).sort((a, b) => order(a) - order(b)))
    await endProcess(paths, name);
  for (const name of others.filter((name) => !isKnown(name))) await endProcess(paths, name);
  await Promise.all([removeServer(paths, 'source'), removeServer(paths, 'target')]);
  rmSync(paths.folder, { recursive: true, force: true, maxRetries: 3 });
  return true;
}
