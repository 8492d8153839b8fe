/** The shop's one address: connections go to its replicas in turn, as a Service of a cluster would send them. */

import { connect, createServer, type Socket } from 'node:net';

/** Runs until the process ends. */
export function startFront(port: number, replicaPorts: readonly number[]): void {
  let next = 0;
  const server = createServer({ noDelay: true }, (client) => {
    client.on('error', () => client.destroy());
    client.pause();
    const [first, second] = [0, 1].map((step) => replicaPorts[(next + step) % replicaPorts.length] ?? 0);
    next += 1;
    open(client, first ?? 0, () => open(client, second ?? 0, () => client.destroy()));
  });
  server.listen(port, '127.0.0.1', () => console.log(JSON.stringify({ listening: port, replicaPorts })));
}

function open(client: Socket, port: number, onRefusal: () => void): void {
  const replica = connect({ host: '127.0.0.1', port, noDelay: true });
  let isOpen = false;
  replica.on('error', () => {
    if (isOpen) client.destroy();
    else onRefusal();
  });
  replica.once('connect', () => {
    isOpen = true;
    client.pipe(replica).pipe(client);
    client.once('close', () => replica.destroy());
    replica.once('close', () => client.destroy());
  });
}
