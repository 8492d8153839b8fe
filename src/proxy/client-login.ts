/**
 * A client's start-up: TLS, protocol version, who it is, and its proof. Cancel requests end here too.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */

import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { negotiateProtocolVersion } from '../wire/backend.ts';
import { type FirstMessage, readFirstMessage } from '../wire/frontend.ts';
import { ProtocolError } from '../wire/protocol-error.ts';
import { authenticate } from './client-authentication.ts';
import { ClientError } from './client-error.ts';
import { ClientGoneError, ClientSocket } from './client-socket.ts';
import type { Credential } from './server-login.ts';

export interface ClientTls {
  readonly context: SecureContext;
  /** For SCRAM-SHA-256-PLUS. */
  readonly certificateHash: Buffer | undefined;
}

export interface LoginSurroundings {
  /** Undefined: TLS is not offered. */
  readonly tls: () => ClientTls | undefined;
  /** SCRAM verifier, md5 hash or password; undefined for a role that nobody knows. */
  readonly secretOf: (user: string) => Promise<string | undefined>;
  /** Called with the socket that the client's words come through from now on: errors belong there. */
  readonly secured: (socket: Socket) => void;
}

export interface LoggedInClient {
  readonly kind: 'client';
  readonly socket: Socket;
  readonly unread: Buffer;
  /** As the client sent them, without protocol options; `database` always present. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly user: string;
  readonly database: string;
  readonly credential: Credential;
}
export interface CancelRequest {
  readonly kind: 'cancel';
  readonly pid: number;
  readonly secret: Buffer;
  readonly socket: Socket;
}

const NEWEST_MINOR = 2;
const TLS_HANDSHAKE_RECORD = 0x16;

/** @throws {ClientError} to be shown to the client; {ClientGoneError} when there is nobody to show it to */
export async function logInClient(
  raw: Socket,
  surroundings: LoginSurroundings,
): Promise<LoggedInClient | CancelRequest> {
  try {
    return await hearClient(raw, surroundings);
  } catch (error) {
    if (error instanceof ProtocolError) throw new ClientError({ code: '08P01', message: error.message });
    throw error;
  }
}

async function hearClient(
  raw: Socket,
  surroundings: LoginSurroundings,
): Promise<LoggedInClient | CancelRequest> {
  const { client, first } = await negotiateEncryption(raw, surroundings);
  if (first.kind === 'cancel') {
    client.release();
    return { ...first, socket: client.socket };
  }
  const parameters = checkStartup(client.socket, first);
  const user = parameters.get('user') ?? '';
  const secret = await surroundings.secretOf(user);
  const credential = await authenticate(client, user, secret, surroundings.tls()?.certificateHash);
  const unread = client.release();
  const database = parameters.get('database') ?? user;
  parameters.set('database', database);
  return { kind: 'client', socket: client.socket, unread, parameters, user, database, credential };
}

type StartupMessage = Extract<FirstMessage, { kind: 'startup' }>;
type CancelMessage = Extract<FirstMessage, { kind: 'cancel' }>;

async function negotiateEncryption(
  raw: Socket,
  surroundings: LoginSurroundings,
): Promise<{ client: ClientSocket; first: StartupMessage | CancelMessage }> {
  let client = new ClientSocket(raw);
  if ((await client.peek()) === TLS_HANDSHAKE_RECORD) client = await directTls(client, surroundings);
  // libpq may ask for GSS first and for TLS after that; more questions are nonsense.
  for (let questions = 0; questions < 3; questions++) {
    const first = readFirstMessage(await client.firstMessage());
    if (first.kind === 'startup' || first.kind === 'cancel') return { client, first };
    const tls =
      first.kind === 'ssl' && !(client.socket instanceof TLSSocket) ? surroundings.tls() : undefined;
    if (client.hasMore) {
      // Sent in clear before the encryption began: it would be taken for encrypted text.
      throw new ClientError({
        code: '08P01',
        message: 'Received unencrypted data after the encryption request',
      });
    }
    client.socket.write(tls === undefined ? 'N' : 'S');
    if (tls !== undefined) client = await encrypt(client, tls, surroundings);
  }
  throw new ClientError({ code: '08P01', message: 'Too many encryption requests' });
}

/** sslnegotiation=direct: TLS from the first byte, with ALPN so that nothing else can be meant. */
async function directTls(client: ClientSocket, surroundings: LoginSurroundings): Promise<ClientSocket> {
  const tls = surroundings.tls();
  if (tls === undefined) throw new ClientGoneError();
  const secured = await encrypt(client, tls, surroundings);
  if ((secured.socket as TLSSocket).alpnProtocol !== 'postgresql') {
    throw new ClientError({ code: '08P01', message: 'Direct TLS needs ALPN protocol "postgresql"' });
  }
  return secured;
}

async function encrypt(
  client: ClientSocket,
  tls: ClientTls,
  surroundings: LoginSurroundings,
): Promise<ClientSocket> {
  const unread = client.release();
  if (unread.length > 0) client.socket.unshift(unread);
  const secure = new TLSSocket(client.socket, {
    isServer: true,
    secureContext: tls.context,
    ALPNProtocols: ['postgresql'],
  });
  const secured = new ClientSocket(secure);
  await new Promise<void>((resolve, reject) => {
    secure.once('secure', resolve);
    secure.once('error', reject);
    for (const end of ['end', 'close']) secure.once(end, () => reject(new ClientGoneError()));
  });
  surroundings.secured(secure);
  return secured;
}

function checkStartup(socket: Socket, first: StartupMessage): Map<string, string> {
  if (first.major !== 3) {
    throw new ClientError({
      code: '0A000',
      message: `Unsupported frontend protocol ${first.major}.${first.minor}: the proxy supports 3.0 to 3.${NEWEST_MINOR}`,
    });
  }
  const parameters = new Map(first.parameters);
  const options = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'));
  for (const option of options) parameters.delete(option);
  if (first.minor > NEWEST_MINOR || options.length > 0) {
    socket.write(negotiateProtocolVersion((3 << 16) | Math.min(first.minor, NEWEST_MINOR), options));
  }
  if (!parameters.get('user')) {
    throw new ClientError({
      code: '28000',
      message: 'No PostgreSQL user name specified in the start-up packet',
    });
  }
  const replication = parameters.get('replication');
  if (replication !== undefined && !/^(false|off|no|0)$/i.test(replication)) {
    throw new ClientError({
      code: '0A000',
      message: 'Replication connections do not go through the proxy',
      hint: 'Connect to the server itself.',
    });
  }
  return parameters;
}
