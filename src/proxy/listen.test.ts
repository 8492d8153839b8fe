import net from 'node:net';
import { expect, test, vi } from 'vitest';
import { listen } from './listen.ts';

interface Accepting extends net.Server {
  readonly _handle: { onconnection(error: number): void };
}

const NO_FILE_LEFT = -23;

test('connections that the system could not accept end neither the port nor the process', async () => {
  using created = vi.spyOn(net, 'createServer');
  const listener = await listen({ host: '127.0.0.1', port: 0 }, (socket) => socket.end());
  const server = created.mock.results[0]?.value as Accepting;
  const failToAccept = () => server._handle.onconnection(NO_FILE_LEFT);
  for (let times = 0; times < 2; times++) expect(failToAccept).not.toThrow();
  const client = net.connect(listener.port, '127.0.0.1');
  await new Promise((resolve) => client.resume().once('end', resolve));
  await listener.close();
});
