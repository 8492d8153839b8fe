import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ServerAddress } from '../config/server-address.ts';
import { runNativePgDump } from './native-pg-dump.ts';

test('pg_dump verifies the server as we do, also with the public certificates', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'pg_dump');
  writeFileSync(program, '#!/bin/sh\nenv\n');
  chmodSync(program, 0o755);
  const address: ServerAddress = {
    host: 'db.example',
    port: 5432,
    user: 'u',
    database: 'd',
    sslMode: 'verify-full',
    sslRootCert: 'system',
    connectTimeoutMs: 1000,
  };
  const environment = await runNativePgDump(program, address, []);
  expect(environment.split('\n')).toEqual(
    expect.arrayContaining(['PGSSLMODE=verify-full', 'PGSSLROOTCERT=system']),
  );
});
