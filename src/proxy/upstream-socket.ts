/**
 * A socket to a server with TLS settled as libpq's sslmode says.
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 */

import net from 'node:net';
import tls from 'node:tls';
import type { ServerAddress } from '../config/server-address.ts';
import type { TlsAttempt } from '../config/tls-attempts.ts';
import { sslRequest } from '../wire/frontend.ts';
import { ClientError } from './client-error.ts';
import type { Intake } from './intake.ts';
import { hasNoFileLeft, RAISE_OPEN_FILES } from './open-files.ts';

/** Connects, negotiates TLS, and leaves the socket paused. Once resumed, what it reads goes to `intake`. */
export async function connectSocket(
  address: ServerAddress,
  attempt: TlsAttempt,
  signal: AbortSignal,
  intake?: Intake,
): Promise<net.Socket> {
  const isInClear = attempt === false;
  const onread = isInClear && intake !== undefined ? { onread: intake.onread } : {};
  const socket = net.connect(
    address.host.startsWith('/')
      ? { ...onread, path: `${address.host}/.s.PGSQL.${address.port}` }
      : { ...onread, host: address.host, port: address.port, keepAlive: true, keepAliveInitialDelay: 60_000 },
  );
  if (isInClear) socket.pause();
  const abort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('Aborted'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await opened(socket, 'connect');
    socket.setNoDelay(true);
    if (isInClear) return socket;
    const negotiated = await negotiate(socket, address, attempt);
    intake?.listenTo(negotiated);
    return negotiated;
  } catch (error) {
    socket.destroy();
    if (!hasNoFileLeft(error)) throw error;
    const message = `The proxy may open no more connections. ${RAISE_OPEN_FILES}`;
    throw new ClientError({ code: '53300', message });
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function negotiate(
  socket: net.Socket,
  address: ServerAddress,
  options: tls.ConnectionOptions,
): Promise<net.Socket> {
  socket.write(sslRequest());
  const answer = await firstByte(socket);
  if (answer === 0x53) {
    const secure = tls.connect({ socket, host: address.host, ALPNProtocols: ['postgresql'], ...options });
    await opened(secure, 'secureConnect');
    return secure;
  }
  if (address.sslMode === 'prefer') return socket;
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
