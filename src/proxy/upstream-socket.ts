/**
 * A socket to a server with TLS settled as libpq's sslmode says.
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 */

import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { authoritiesFile, type ServerAddress } from '../config/server-address.ts';
import { sslRequest } from '../wire/frontend.ts';
import { ClientError } from './client-error.ts';

/** How to try: without TLS, with TLS where the server must offer it, with TLS where it may decline. */
type Attempt = { readonly tls: false } | { readonly tls: tls.ConnectionOptions; readonly required: boolean };

/** In libpq's order. A Unix socket is never encrypted. */
export function attemptsFor(address: ServerAddress): readonly Attempt[] {
  const plain: Attempt = { tls: false };
  if (address.host.startsWith('/')) return [plain];
  const read = (path: string) => readFileSync(path, 'utf8');
  const authorities = authoritiesFile(address);
  const files: tls.ConnectionOptions = {
    ...(authorities === undefined ? {} : { ca: read(authorities) }),
    ...(address.sslCert === undefined ? {} : { cert: read(address.sslCert) }),
    ...(address.sslKey === undefined ? {} : { key: read(address.sslKey) }),
  };
  // sslmode below verify-ca asks for encryption, not for proof of identity: libpq's meaning, chosen by the user.
  const unverified: tls.ConnectionOptions = { ...files, rejectUnauthorized: false };
  const chainOnly: tls.ConnectionOptions = { ...files, checkServerIdentity: () => undefined };
  switch (address.sslMode) {
    case 'disable':
      return [plain];
    case 'allow':
      return [plain, { tls: unverified, required: true }];
    case 'prefer':
      return [{ tls: unverified, required: false }, plain];
    case 'require':
      return [{ tls: address.sslRootCert === undefined ? unverified : chainOnly, required: true }];
    case 'verify-ca':
      return [{ tls: chainOnly, required: true }];
    case 'verify-full':
      return [{ tls: { ...files, servername: servername(address.host) }, required: true }];
  }
}

const servername = (host: string): string => (net.isIP(host) === 0 ? host : '');

/** Connects, negotiates TLS, and leaves the socket paused. */
export async function connectSocket(
  address: ServerAddress,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<net.Socket> {
  const socket = net.connect(
    address.host.startsWith('/')
      ? { path: `${address.host}/.s.PGSQL.${address.port}` }
      : { host: address.host, port: address.port, keepAlive: true, keepAliveInitialDelay: 60_000 },
  );
  const abort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('Aborted'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await opened(socket, 'connect');
    socket.setNoDelay(true);
    if (attempt.tls === false) return socket;
    return await negotiate(socket, address, attempt);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function negotiate(
  socket: net.Socket,
  address: ServerAddress,
  attempt: Exclude<Attempt, { tls: false }>,
): Promise<net.Socket> {
  socket.write(sslRequest());
  const answer = await firstByte(socket);
  if (answer === 0x53) {
    const secure = tls.connect({ socket, host: address.host, ALPNProtocols: ['postgresql'], ...attempt.tls });
    await opened(secure, 'secureConnect');
    return secure;
  }
  if (!attempt.required) return socket;
  throw new ClientError({
    code: '08001',
    message: `The server ${address.host}:${address.port} does not offer TLS, and sslmode=${address.sslMode} asks for it`,
  });
}

function opened(socket: net.Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error?: Error) => reject(error ?? new Error('The server closed the connection'));
    socket.once('error', fail);
    socket.once('close', fail);
    socket.once(event, () => {
      socket.off('error', fail);
      socket.off('close', fail);
      resolve();
    });
  });
}

/** Exactly one byte: anything behind it, in clear, would be injected into the encrypted stream. */
function firstByte(socket: net.Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void) => {
      socket.off('data', onData);
      socket.off('error', onEnd);
      socket.off('close', onEnd);
      socket.pause();
      act();
    };
    const onData = (chunk: Buffer) =>
      done(() =>
        chunk.length === 1
          ? resolve(chunk[0] as number)
          : reject(new Error('The server answered the TLS request with more than one byte')),
      );
    const onEnd = (error?: unknown) =>
      done(() => reject(error instanceof Error ? error : new Error('The server closed the connection')));
    socket.on('data', onData);
    socket.once('error', onEnd);
    socket.once('close', onEnd);
  });
}
