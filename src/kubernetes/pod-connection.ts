/** One connection to a port of a pod, carried by the API server: guarded by its rights, encrypted by its TLS. */

import { Duplex, PassThrough } from 'node:stream';
import type { PortForward } from '@kubernetes/client-node';

export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

interface Channel {
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  close(): void;
}

/** Node's HTTP agents ask for these of a socket; a stream inside another connection has none of them. */
class PodConnection extends Duplex {
  setKeepAlive = () => this;
  setNoDelay = () => this;
  setTimeout = () => this;
  ref = () => this;
  unref = () => this;
}

export async function connectToPod(forward: PortForward, { namespace, pod, port }: PodPort): Promise<Duplex> {
  const toPod = new PassThrough();
  const fromPod = new PassThrough();
  const errors = new PassThrough();
  let channel: Channel | undefined;
  const connection: PodConnection = new PodConnection({
    read: () => void fromPod.resume(),
    write: (chunk, _encoding, done) => void toPod.write(chunk, done),
    final: (done) => {
      toPod.end();
      done();
    },
    destroy: (error, done) => {
      channel?.close();
      done(error);
    },
  });
  // Its end may come before anybody listens: that must end the connection, not the process.
  connection.on('error', () => undefined);
  fromPod.on('data', (chunk: Buffer) => {
    if (!connection.push(chunk)) fromPod.pause();
  });
  // What the kubelet could not connect to, it says here.
  errors.on('data', (text: Buffer) => {
    if (text.length > 0) connection.destroy(new Error(text.toString('utf8').trim()));
  });
  channel = await forward
    .portForward(namespace, pod, [port], fromPod, errors, toPod)
    .then((opened) => opened as Channel)
    .catch(throwRefusal);
  if (connection.errored) {
    channel.close();
    throw connection.errored;
  }
  channel.onclose = () => connection.destroy();
  channel.onerror = () => connection.destroy(new Error(`The connection to pod ${pod} broke`));
  return connection;
}

/** The web socket's own error holds the request with its token: only its message goes on, and the HTTP status in it. */
function throwRefusal(error: unknown): never {
  const { message } = error as { message?: string };
  const status = /Unexpected server response: (\d{3})/.exec(message ?? '')?.[1];
  throw Object.assign(new Error(message), { code: status === undefined ? 'ECONNRESET' : Number(status) });
}
