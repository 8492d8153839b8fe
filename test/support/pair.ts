/**
 * `test` on a pair of servers that a worker has for itself, one file after another: migrations carry roles, which belong
 * to the whole cluster, so they must not meet tests that run at once. Roles and the like are named after the database:
 * what else a test makes of a cluster's, or changes there, it takes away.
 */

import { type EmbeddedServer, startServer } from '../../src/embedded/embedded-server.ts';
import type { Database } from './database.ts';
import { test as base, withDatabase } from './fixture.ts';
import { type Scene, withScene } from './migration.ts';

interface Pair {
  readonly sourceServer: EmbeddedServer;
  readonly targetServer: EmbeddedServer;
}

/** A scene for all tests of a file, one after another: each leaves it so that the next can go on. */
export interface Shared {
  readonly source: Database;
  readonly target: Database;
  readonly scene: Scene;
}

async function endOf(scene: Scene): Promise<void> {
  const { phase } = await scene.status();
  if (phase === 'switched') await scene.rollback();
  if (phase !== 'completed') await scene.abort();
}

const start = (majorVersion: number): Promise<EmbeddedServer> =>
  startServer({ majorVersion, settings: { fsync: 'off', shared_buffers: '64MB' } });

const serverOf = (server: EmbeddedServer) => ({
  majorVersion: server.majorVersion,
  address: server.address('postgres'),
});

export const test = base
  .extend<{ $worker: { pair: Pair }; $file: { shared: Shared } }>({
    pair: [
      // biome-ignore lint/correctness/noEmptyPattern: vitest wants a fixture's first parameter destructured.
      async ({}, use) => {
        const [sourceServer, targetServer] = await Promise.all([start(15), start(16)]);
        try {
          await use({ sourceServer, targetServer });
        } finally {
          await Promise.all([sourceServer.remove(), targetServer.remove()]);
        }
      },
      { scope: 'worker' },
    ],
    shared: [
      async ({ pair }, use) =>
        withDatabase(serverOf(pair.sourceServer), 'source', [], (source) =>
          withDatabase(serverOf(pair.targetServer), 'target', [], (target) =>
            withScene({ source, target }, async (scene) => {
              try {
                await use({ source, target, scene });
              } finally {
                await endOf(scene);
              }
            }),
          ),
        ),
      { scope: 'file' },
    ],
  })
  .extend<{ source: Database; target: Database }>({
    source: async ({ pair, leaves }, use) => withDatabase(serverOf(pair.sourceServer), 'source', leaves, use),
    target: async ({ pair, leaves }, use) => withDatabase(serverOf(pair.targetServer), 'target', leaves, use),
  });
