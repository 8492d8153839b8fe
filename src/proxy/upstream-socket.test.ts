import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { selfSigned } from '../../test/support/self-signed.ts';
import type { ServerAddress, SslMode } from '../config/server-address.ts';
import { tlsAttempts } from '../config/tls-attempts.ts';
import { ServerConnection } from './server-connection.ts';
import { connectSocket } from './upstream-socket.ts';

/** Offers TLS as PostgreSQL does; tells the name that the client has asked for in its greeting. */
async function tlsServer() {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-upstream-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { certFile, keyFile } = await selfSigned(folder, 'server');
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  const asked: (string | undefined)[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, cert, key });
      secure.on('error', () => undefined);
      secure.once('secure', () => asked.push((secure as unknown as { servername?: string }).servername));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const connect = async (host: string, sslMode: SslMode) => {
    const address: ServerAddress = {
      ...{ host, port, user: 'u', database: 'd', sslMode, connectTimeoutMs: 5000 },
      sslRootCert: sslMode.startsWith('verify') ? certFile : undefined,
    };
    const [attempt = false] = tlsAttempts(address);
    const socket = await connectSocket(address, attempt, AbortSignal.timeout(5000));
    onTestFinished(() => void socket.destroy());
  };
  return { asked, connect };
}

describe('a connection of the proxy to its server', () => {
  test.each<SslMode>(['prefer', 'require', 'verify-ca', 'verify-full'])(
    'names the server in the greeting with sslmode=%s',
    async (sslMode) => {
      const { asked, connect } = await tlsServer();
      await connect('localhost', sslMode);
      await expect.poll(() => asked).toEqual(['localhost']);
    },
  );

  test('to an IP address names nobody, and verifies it', async () => {
    const { asked, connect } = await tlsServer();
    await connect('127.0.0.1', 'verify-full');
    await expect.poll(() => asked).toEqual([false]);
  });

  test.each<SslMode>(['disable', 'allow', 'prefer', 'require'])(
    'is given up where the server says nothing, with sslmode=%s',
    async (sslMode) => {
      const sockets: Socket[] = [];
      const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => {
        server.close();
        for (const socket of sockets) socket.destroy();
      });
      const { port } = server.address() as AddressInfo;
      const address = { host: '127.0.0.1', port, user: 'u', database: 'd', sslMode, connectTimeoutMs: 5_000 };
      const login = {
        side: 'target',
        address,
        parameters: new Map(),
        credential: { password: 'p' },
      } as const;
      await expect(ServerConnection.open({ ...login, timeoutMs: 50 })).rejects.toThrow();
    },
  );
});
