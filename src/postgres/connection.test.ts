import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ServerAddress } from '../config/server-address.ts';
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

/** Answers the start-up message with these bytes, and goes. */
async function answering(bytes: Buffer): Promise<ServerAddress> {
  const server = createServer((socket) =>
    socket.on('data', () => socket.end(bytes)).on('error', () => undefined),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const user = 'u';
  return { host: '127.0.0.1', port, user, database: 'd', sslMode: 'disable', connectTimeoutMs: 1000 };
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const errorResponse = (code: string, text: string): Buffer =>
  message('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${text}\0\0`));

test('a password that is asked for and was not given is said to be missing, with the variable of each side', async () => {
  const scram = message('R', Buffer.concat([Buffer.from([0, 0, 0, 10]), Buffer.from('SCRAM-SHA-256\0\0')]));
  await expect(Connection.open(await answering(scram), { purpose: 'test' })).rejects.toMatchObject({
    code: 'login_failed',
    message: expect.stringMatching(/asks for the password of "u", and none was given$/),
    hint: expect.stringMatching(/PGPASSWORD.*source.*PGGLIDE_TARGET_PASSWORD.*target/),
  });
});

test.each([
  ['53300', 'too many connections for role "u"', 'end sessions'],
  ['57P03', 'the database system is starting up', 'Wait'],
  ['42704', 'unrecognized configuration parameter "x"', 'PGOPTIONS'],
])('a server that answers %s is not said to be down', async (code, text, hint) => {
  const opening = Connection.open(await answering(errorResponse(code, text)), { purpose: 'test' });
  await expect(opening).rejects.toMatchObject({
    code: 'server_unreachable',
    message: expect.stringContaining(text),
    hint: expect.stringContaining(hint),
  });
  await expect(opening).rejects.toMatchObject({ hint: expect.not.stringContaining('is the server running') });
});

test('what PG* variables say of the source is not said to the target', async () => {
  let said = '';
  const server = createServer((socket) =>
    socket
      .on('data', (bytes) => {
        said = bytes.toString('latin1');
        socket.destroy();
      })
      .on('error', () => undefined),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  vi.stubEnv('PGOPTIONS', '-c role=somebody');
  vi.stubEnv('PGSSLNEGOTIATION', 'direct');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { port } = server.address() as AddressInfo;
  const target = {
    host: '127.0.0.1',
    port,
    user: 'u',
    database: 'd',
    sslMode: 'disable',
    connectTimeoutMs: 0,
  } as const;
  await expect(Connection.open(target, { purpose: 'test' })).rejects.toMatchObject({
    code: 'server_unreachable',
  });
  expect(said).toContain('pgglide: test');
  expect(said).not.toContain('options');
});
