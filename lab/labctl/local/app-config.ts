/** Points the shop at another address and waits until both replicas have gone over. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ShopAddress } from '../backend.ts';
import { LabError, type Paths } from '../folder.ts';
import { readSecrets } from '../secrets.ts';
import { replicaName, writeShopConfig } from './programs.ts';

const PATIENCE_MS = 60_000;

interface Counts {
  readonly done: number;
  readonly failed: number;
}

/** A replica says so when its last session with the old address has ended. */
export async function pointShopAt(paths: Paths, connection: ShopAddress): Promise<void> {
  const before = [0, 1].map((index) => countOf(paths, index));
  writeShopConfig(paths, readSecrets(paths), connection);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const now = [0, 1].map((index) => countOf(paths, index));
    if (now.every(({ done }, index) => done > (before[index]?.done ?? 0))) return;
    if (now.some(({ failed }, index) => failed > (before[index]?.failed ?? 0)))
      throw new LabError(
        `The shop cannot log in at ${connection.host}:${connection.port}; it stays where it was. See ${paths.logs}/shop-1.log`,
        1,
      );
    if (performance.now() > deadline) throw new LabError('The shop did not go over within 60 s', 1);
    await delay(50);
  }
}

function countOf(paths: Paths, index: number): Counts {
  const path = join(paths.logs, `${replicaName(index)}.log`);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const count = (word: string) => text.split(`"reconfigured":${word}`).length - 1;
  return { done: count('true'), failed: count('false') };
}
