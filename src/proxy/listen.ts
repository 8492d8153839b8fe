/** The port that clients connect to. */

import net from 'node:net';

export interface Listener {
  readonly port: number;
  /** HOST:PORT */
  readonly name: string;
  /** Resolves when the last connection has ended. */
  close(): Promise<void>;
}

const BACKLOG = 4096;
const CLIENT_KEEP_ALIVE_MS = 60_000;

/** `handedOn`: nothing is read here, another process will. @throws when the address cannot be listened on */
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
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => resolve());
  });
  const taken = (server.address() as net.AddressInfo).port;
  return {
    port: taken,
    name: `${host}:${taken}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Small answers at once; a client that vanished is noticed. */
export function tune(socket: net.Socket): void {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, CLIENT_KEEP_ALIVE_MS);
}
