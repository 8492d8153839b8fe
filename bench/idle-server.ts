/** A server that lets everyone in and answers every request with nothing: thousands of sessions without thousands of backends. */

import net from 'node:net';
import { authenticationOk, backendKeyData, parameterStatus, readyForQuery } from '../src/wire/backend.ts';
import { cstring, frame } from '../src/wire/bytes.ts';

const PARAMETERS = {
  server_version: '15.0',
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  DateStyle: 'ISO, MDY',
  TimeZone: 'UTC',
  integer_datetimes: 'on',
  standard_conforming_strings: 'on',
};
const GREETING = Buffer.concat([
  authenticationOk(),
  ...Object.entries(PARAMETERS).map(([name, value]) => parameterStatus(name, value)),
  backendKeyData(1, Buffer.alloc(4)),
  readyForQuery(),
]);
/** To Parse, Bind, Describe, Execute and Sync in one go. */
const ANSWER = Buffer.concat([
  frame('1'),
  frame('2'),
  frame('n'),
  frame('C', cstring('SELECT 0')),
  readyForQuery(),
]);

export async function startIdleServer(): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', () => {
      socket.write(GREETING);
      socket.on('data', () => socket.write(ANSWER));
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
