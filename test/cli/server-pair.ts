import { afterAll, beforeAll } from 'vitest';
import { type EmbeddedServer, startServer } from '../../src/embedded/embedded-server.ts';

const SETTINGS = { fsync: 'off', shared_buffers: '32MB' };

/** A 15 and a 16 of the test file's own, from before its first test to after its last: commands look at all of a server. */
export function serverPair(): { readonly source: EmbeddedServer; readonly target: EmbeddedServer } {
  let servers: readonly [EmbeddedServer, EmbeddedServer];
  beforeAll(async () => {
    servers = await Promise.all([
      startServer({ majorVersion: 15, settings: SETTINGS }),
      startServer({ majorVersion: 16, settings: SETTINGS }),
    ]);
  }, 120_000);
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.remove()));
  });
  return {
    get source() {
      return servers[0];
    },
    get target() {
      return servers[1];
    },
  };
}
