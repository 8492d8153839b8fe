/**
 * One PostgreSQL 15 and one 16 for all tests of a run, or the ones that TEST_PG_15 and TEST_PG_16 name.
 * Tests get databases of their own on them: see fixture.ts.
 */

import type { TestProject } from 'vitest/node';
import type { ServerAddress } from '../../src/config/server-address.ts';
import { startServer } from '../../src/embedded/embedded-server.ts';

export interface TestServer {
  readonly majorVersion: number;
  /** Of a superuser, on database postgres. */
  readonly address: ServerAddress;
}

declare module 'vitest' {
  interface ProvidedContext {
    sourceServer: TestServer;
    targetServer: TestServer;
  }
}

/** Many test files share a server, and each test wants slots, workers and sessions. Durability is not tested here. */
const SHARED_SETTINGS = {
  max_connections: '200',
  max_replication_slots: '100',
  max_wal_senders: '100',
  max_logical_replication_workers: '50',
  max_worker_processes: '100',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  shared_buffers: '64MB',
  track_commit_timestamp: 'on',
  // A walsender whose subscriber is gone is ended soon.
  wal_sender_timeout: '5s',
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [source, target] = await Promise.all([testServer(15), testServer(16)]);
  project.provide('sourceServer', source.server);
  project.provide('targetServer', target.server);
  return async () => {
    await Promise.all([source.stop(), target.stop()]);
  };
}

async function testServer(majorVersion: number): Promise<{ server: TestServer; stop: () => Promise<void> }> {
  const uri = process.env[`TEST_PG_${majorVersion}`];
  if (uri !== undefined) {
    return { server: { majorVersion, address: addressOf(uri) }, stop: async () => undefined };
  }
  const embedded = await startServer({ majorVersion, settings: SHARED_SETTINGS });
  return {
    server: { majorVersion, address: embedded.address() },
    stop: () => embedded[Symbol.asyncDispose](),
  };
}

function addressOf(uri: string): ServerAddress {
  const url = new URL(uri);
  return {
    host: decodeURIComponent(url.hostname),
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username || 'postgres'),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1) || 'postgres'),
    sslMode: 'prefer',
    connectTimeoutMs: 5_000,
  };
}
