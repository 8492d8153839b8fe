/** `test` with a database of its own on the source's and the target's server. See README.md in this folder. */

import { test as base, inject } from 'vitest';
import type { EmbeddedServer, StartServerOptions } from '../../src/embedded/embedded-server.ts';
import { startServer } from '../../src/embedded/embedded-server.ts';
import { type Database, type Leak, TestDatabase } from './database.ts';
import type { TestServer } from './global-servers.ts';

/** Starts one server per major version, for tests that stop or crash them; removed after the test. */
export type OwnServers = (majors: readonly number[], settings?: Settings) => Promise<EmbeddedServer[]>;
type Settings = NonNullable<StartServerOptions['settings']>;

interface Fixtures {
  readonly source: Database;
  readonly target: Database;
  readonly ownServers: OwnServers;
  /** What this test may leave behind; removed all the same. */
  readonly leaves: readonly Leak[];
}

export const test = base.extend<Fixtures>({
  leaves: [],
  source: async ({ leaves }, use) => withDatabase(inject('sourceServer'), 'source', leaves, use),
  target: async ({ leaves }, use) => withDatabase(inject('targetServer'), 'target', leaves, use),
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants a fixture's first parameter destructured.
  ownServers: async ({}, use) => {
    const started: EmbeddedServer[] = [];
    const start = async (majorVersion: number, settings: Settings) => {
      const own = { fsync: 'off', shared_buffers: '32MB', ...settings };
      const server = await startServer({ majorVersion, settings: own });
      started.push(server);
      return server;
    };
    try {
      await use((majors, settings = {}) => Promise.all(majors.map((major) => start(major, settings))));
    } finally {
      await Promise.all(started.map((server) => server.remove()));
    }
  },
});

export async function withDatabase(
  server: TestServer,
  role: string,
  leaves: readonly Leak[],
  use: (database: Database) => Promise<void>,
): Promise<void> {
  const database = await TestDatabase.create(server, role);
  let leaks: string[] = [];
  try {
    await use(database);
    await database.close();
    leaks = await database.leaks(leaves);
  } finally {
    await database.close();
    await database.drop();
  }
  if (leaks.length > 0) throw new Error(`The test left behind on ${role}:\n  ${leaks.join('\n  ')}`);
}
