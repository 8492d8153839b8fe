import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ServerAddress, SslMode } from './server-address.ts';
import { tlsAttempts } from './tls-attempts.ts';

const ADDRESS: ServerAddress = {
  host: 'db.example',
  port: 5432,
  user: 'u',
  database: 'd',
  sslMode: 'verify-full',
  sslRootCert: 'system',
  connectTimeoutMs: 1000,
};
const UNVERIFIED = { rejectUnauthorized: false };
const CHAIN_ONLY = { checkServerIdentity: expect.any(Function) };

describe.each([
  ['db.example', { servername: 'db.example' }],
  // An IP address is verified, and not sent as the name of the server.
  ['127.0.0.1', { host: '127.0.0.1' }],
  ['::1', { host: '::1' }],
])('of %s', (host, named) => {
  test.each<[SslMode, unknown[]]>([
    ['disable', [false]],
    ['allow', [false, { ...named, ...UNVERIFIED }]],
    ['prefer', [{ ...named, ...UNVERIFIED }, false]],
    ['require', [{ ...named, ...UNVERIFIED }]],
    ['verify-ca', [{ ...named, ...CHAIN_ONLY }]],
    ['verify-full', [named]],
  ])('sslmode=%s', (sslMode, expected) => {
    const sslRootCert = sslMode.startsWith('verify') ? 'system' : undefined;
    expect(tlsAttempts({ ...ADDRESS, host, sslMode, sslRootCert })).toEqual(expected);
  });
});

test('require with authorities verifies the chain, as libpq does', () => {
  expect(tlsAttempts({ ...ADDRESS, sslMode: 'require' })).toEqual([
    { servername: 'db.example', ...CHAIN_ONLY },
  ]);
});

test('files are read, but sslrootcert=system is none: the client takes the public authorities', async () => {
  const file = join(tmpdir(), `pgglide-tls-${process.pid}`);
  onTestFinished(() => rm(file));
  await writeFile(file, 'PEM');
  expect(tlsAttempts({ ...ADDRESS, sslCert: file, sslKey: file })).toEqual([
    { servername: 'db.example', cert: 'PEM', key: 'PEM' },
  ]);
  expect(tlsAttempts({ ...ADDRESS, sslRootCert: file })).toEqual([{ servername: 'db.example', ca: 'PEM' }]);
});

test('a Unix socket is never encrypted', () => {
  expect(tlsAttempts({ ...ADDRESS, host: '/run/postgresql' })).toEqual([false]);
});
