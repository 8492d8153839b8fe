import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Intake } from './intake.ts';
import { connectSocket } from './upstream-socket.ts';

/** A connection in clear, and its other end. */
async function connected(intake: Intake) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const { port } = server.address() as AddressInfo;
  const address = { host: '127.0.0.1', port, user: 'u', database: 'd', sslMode: 'disable' } as const;
  const signal = AbortSignal.timeout(5_000);
  const socket = await connectSocket({ ...address, connectTimeoutMs: 5_000 }, false, signal, intake);
  onTestFinished(() => void socket.destroy());
  return { socket, other: await accepted };
}

test.each([true, false])(
  'bytes that are not needed any more (%s) are written over, and others never',
  async (isFree) => {
    const intake = new Intake();
    const chunks: Buffer[] = [];
    intake.take = (chunk) => {
      chunks.push(chunk);
      return isFree;
    };
    const { socket, other } = await connected(intake);
    socket.resume();
    other.write('first');
    await expect.poll(() => chunks).toHaveLength(1);
    other.write('again');
    await expect.poll(() => chunks).toHaveLength(2);
    expect(chunks.map(String)).toEqual([isFree ? 'again' : 'first', 'again']);
  },
);

test('what a server says before anybody listens waits for him', async () => {
  const intake = new Intake();
  const { socket, other } = await connected(intake);
  other.end('too early');
  const ended = new Promise((resolve) => socket.once('end', resolve));
  let heard = '';
  intake.take = (chunk) => {
    heard += chunk;
    return true;
  };
  socket.resume();
  await ended;
  expect(heard).toBe('too early');
});
