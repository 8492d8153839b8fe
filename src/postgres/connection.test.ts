import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Connection } from './connection.ts';

test('a server that declines TLS is not said to be down', async () => {
  const server = createServer((socket) =>
    socket.on('data', () => socket.write('N')).on('error', () => undefined),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const address = {
    host: '127.0.0.1',
    port,
    user: 'u',
    database: 'd',
    sslMode: 'verify-full',
    sslRootCert: 'system',
    connectTimeoutMs: 1000,
  } as const;
  await expect(Connection.open(address, { purpose: 'test' })).rejects.toMatchObject({
    code: 'server_unreachable',
    hint: expect.stringContaining('sslmode=verify-full'),
  });
});
