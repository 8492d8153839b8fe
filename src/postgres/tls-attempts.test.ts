import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { ServerAddress } from '../config/server-address.ts';
import { Connection, tlsAttempts } from './connection.ts';

const ADDRESS: ServerAddress = {
  host: 'db.example',
  port: 5432,
  user: 'u',
  database: 'd',
  sslMode: 'verify-full',
  sslRootCert: 'system',
  connectTimeoutMs: 1000,
};

test('sslrootcert=system is no file: the client is given no authorities and takes the public ones', () => {
  expect(tlsAttempts(ADDRESS)).toEqual([{ servername: 'db.example' }]);
});

test('an IP address is verified, and not sent as the name of the server', () => {
  for (const host of ['127.0.0.1', '::1']) expect(tlsAttempts({ ...ADDRESS, host })).toEqual([{ host }]);
});

test('a server that declines TLS is not said to be down', async () => {
  const server = createServer((socket) =>
    socket.on('data', () => socket.write('N')).on('error', () => undefined),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const address = { ...ADDRESS, host: '127.0.0.1', port };
  await expect(Connection.open(address, { purpose: 'test' })).rejects.toMatchObject({
    code: 'server_unreachable',
    hint: expect.stringContaining('sslmode=verify-full'),
  });
});
