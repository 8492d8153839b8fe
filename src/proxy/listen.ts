/** The port that clients connect to. */

import net from 'node:net';
import { inUrl } from '../config/host-and-port.ts';
import { UsageError } from '../domain/errors.ts';

export interface Listener {
  readonly port: number;
  /** HOST:PORT */
  readonly name: string;
  /** Resolves when the last connection has ended. */
  close(): Promise<void>;
}

const BACKLOG = 4096;
const CLIENT_KEEP_ALIVE_MS = 60_000;

/** `handedOn`: nothing is read here, another process will. @throws {UsageError} `cannot_listen` */
export async function listen(
  { host, port }: { readonly host: string; readonly port: number },
  accept: (socket: net.Socket) => void,
  { handedOn = false } = {},
): Promise<Listener> {
  const server = net.createServer({ pauseOnConnect: handedOn }, (socket) => {
    if (!handedOn) tune(socket);
    accept(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(cannotListen(inUrl({ host, port }), '--listen (proxy.listen)', cause)),
    );
    server.listen({ host, port, backlog: BACKLOG }, () => resolve());
  });
  // Of a connection that could not be accepted (no memory, no file left, a firewall): the next one may be.
  server.on('error', () => undefined);
  const taken = (server.address() as net.AddressInfo).port;
  return {
    port: taken,
    name: `${host}:${taken}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** An address that is taken, or not this machine's, or a folder that is not ours. `where`: the flag and key that name it. */
export const cannotListen = (address: string, where: string, cause: Error): UsageError =>
  new UsageError('cannot_listen', `Cannot listen on ${address}: ${cause.message}`, {
    hint: `Is another one running there, and may we use it? Choose another with ${where}.`,
    cause,
  });

/** Small answers at once; a client that vanished is noticed, and one that only ends its side is still answered. */
export function tune(socket: net.Socket): void {
  socket.allowHalfOpen = true;
  socket.setNoDelay(true);
  socket.setKeepAlive(true, CLIENT_KEEP_ALIVE_MS);
}
