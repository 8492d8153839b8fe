/**
 * `test` on a pair of servers that this file has for itself: migrations carry roles, which belong to the whole cluster,
 * and stop servers, so they must not meet the other files' tests.
 */

import { type EmbeddedServer, startServer } from '../../src/embedded/embedded-server.ts';
import type { Database } from './database.ts';
import { test as base, withDatabase } from './fixture.ts';

interface Pair {
  readonly sourceServer: EmbeddedServer;
  readonly targetServer: EmbeddedServer;
}

const start = (majorVersion: number): Promise<EmbeddedServer> =>
  startServer({ majorVersion, settings: { fsync: 'off', shared_buffers: '64MB' } });

const serverOf = (server: EmbeddedServer) => ({
  majorVersion: server.majorVersion,
  address: server.address('postgres'),
});

export const test = base
  .extend<{ $file: { pair: Pair } }>({
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
      { scope: 'file' },
    ],
  })
  .extend<{ source: Database; target: Database }>({
    source: async ({ pair, leaves }, use) => withDatabase(serverOf(pair.sourceServer), 'source', leaves, use),
    target: async ({ pair, leaves }, use) => withDatabase(serverOf(pair.targetServer), 'target', leaves, use),
  });
