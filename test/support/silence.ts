/** Stands before a server like a network that breaks without a word: once it has passed a given text on, nothing comes through any more. */

import net from 'node:net';

export interface Silence extends AsyncDisposable {
  readonly port: number;
  /** A text has been passed on, and since then all is silent. */
  readonly hasBegun: boolean;
}

/** `newConnections`: what becomes of those made afterwards. */
export async function silenceAfter(
  text: string,
  { host, port }: { readonly host: string; readonly port: number },
  newConnections: 'pass' | 'are silent too',
): Promise<Silence> {
  const sockets = new Set<net.Socket>();
  let hasBegun = false;
  // Half-closed is not closed: the silence does not say that one end has gone.
  const gate = net.createServer({ allowHalfOpen: true }, (near) => {
    sockets.add(near);
    near.on('error', () => undefined);
    if (hasBegun && newConnections === 'are silent too') {
      near.resume();
      return;
    }
    const isLate = hasBegun;
    const isSilent = () => hasBegun && !isLate;
    const far = net.connect({ host, port, allowHalfOpen: true });
    sockets.add(far);
    far.on('error', () => undefined);
    near.on('data', (chunk) => {
      if (isSilent()) return;
      far.write(chunk);
      if (chunk.includes(text)) hasBegun = true;
    });
    far.on('data', (chunk) => {
      if (!isSilent()) near.write(chunk);
    });
    near.on('end', () => isSilent() || far.end());
    far.on('end', () => isSilent() || near.end());
    // The host that has given up says so, or the network does, in the end.
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  return {
    port: (gate.address() as net.AddressInfo).port,
    get hasBegun() {
      return hasBegun;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => gate.close(resolve));
    },
  };
}
