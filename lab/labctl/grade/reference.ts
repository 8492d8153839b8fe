/**
 * What must be on the target, made again from the seed instead of kept: a server of the target's version, for as long as the
 * grading runs. Both sides of every comparison then come from the same version, and print the same things alike.
 */

import { constants, setPriority } from 'node:os';
import { type ServerAddress, startServer } from '../../../src/index.ts';
import { DATABASE } from '../folder.ts';
import type { Baseline, Secrets } from '../secrets.ts';
import { seedLab } from '../seed/seed-lab.ts';
import { withSession } from '../session.ts';

interface Reference extends AsyncDisposable {
  readonly address: ServerAddress;
}

/** Made at need; gone again when it is disposed of. */
export interface LazyReference extends AsyncDisposable {
  address(): Promise<ServerAddress>;
}

export function lazyReference(baseline: Baseline, secrets: Secrets): LazyReference {
  let made: Promise<Reference> | undefined;
  return {
    address: async () => {
      made ??= makeReference(baseline, secrets);
      return (await made).address;
    },
    [Symbol.asyncDispose]: async () => {
      const reference = await made?.catch(() => undefined);
      await reference?.[Symbol.asyncDispose]();
    },
  };
}

const SETTINGS = { fsync: 'off', full_page_writes: 'off', autovacuum: 'off', shared_buffers: '64MB' };

async function makeReference({ rows }: Baseline, { seed, appPassword }: Secrets): Promise<Reference> {
  const server = await startServer({ majorVersion: 16, settings: SETTINGS });
  try {
    // Its sessions inherit it: what the grading needs must not slow down what is graded, on the same machine.
    if (server.pid !== undefined) setPriority(server.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    await withSession(server.address(), (session) => session.query(`CREATE DATABASE ${DATABASE}`));
    const address = server.address(DATABASE);
    await seedLab(address, { rows, seed, appPassword });
    return { address, [Symbol.asyncDispose]: () => server.remove() };
  } catch (error) {
    await server.remove();
    throw error;
  }
}
