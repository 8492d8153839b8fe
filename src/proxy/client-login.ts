/**
 * A client's start-up: TLS, protocol version, who it is, and its proof. Cancel requests end here too.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import {
  authenticationOk,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  negotiateProtocolVersion,
} from '../wire/backend.ts';
import { BodyReader } from '../wire/bytes.ts';
import { type FirstMessage, readFirstMessage } from '../wire/frontend.ts';
import { F } from '../wire/message-type.ts';
import {
  impossibleVerifier,
  readVerifier,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  ScramServer,
} from '../wire/scram.ts';
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
  readonly verifierOf: (user: string) => Promise<string | undefined>;
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
const NEWEST_PROTOCOL = (3 << 16) | NEWEST_MINOR;
/** Makes the answers for users that do not exist stable while the proxy lives. */
const MOCK_SECRET = randomBytes(32);
const TLS_HANDSHAKE_RECORD = 0x16;

/** @throws {ClientError} to be shown to the client; {ClientGoneError} when there is nobody to show it to */
export async function logInClient(
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
  const credential = await authenticate(client, user, surroundings);
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
    if (tls !== undefined) client = await encrypt(client, tls);
  }
  throw new ClientError({ code: '08P01', message: 'Too many encryption requests' });
}

/** sslnegotiation=direct: TLS from the first byte, with ALPN so that nothing else can be meant. */
async function directTls(client: ClientSocket, surroundings: LoginSurroundings): Promise<ClientSocket> {
  const tls = surroundings.tls();
  if (tls === undefined) throw new ClientGoneError();
  const secured = await encrypt(client, tls);
  if ((secured.socket as TLSSocket).alpnProtocol !== 'postgresql') {
    throw new ClientError({ code: '08P01', message: 'Direct TLS needs ALPN protocol "postgresql"' });
  }
  return secured;
}

async function encrypt(client: ClientSocket, tls: ClientTls): Promise<ClientSocket> {
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
    secure.once('close', () => reject(new ClientGoneError()));
  });
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
    socket.write(negotiateProtocolVersion(NEWEST_PROTOCOL, options));
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

async function authenticate(
  client: ClientSocket,
  user: string,
  surroundings: LoginSurroundings,
): Promise<Credential> {
  const text = await surroundings.verifierOf(user);
  const known = text === undefined ? undefined : readVerifier(text);
  if (text !== undefined && known === undefined) {
    throw new ClientError({
      code: '28000',
      message: `Role "${user}" has no SCRAM-SHA-256 password`,
      hint: 'Set its password anew with password_encryption = scram-sha-256, or list the user in the users file.',
    });
  }
  const verifier = known ?? impossibleVerifier(user, MOCK_SECRET);
  const binding = client.socket instanceof TLSSocket ? surroundings.tls()?.certificateHash : undefined;
  const offered = binding === undefined ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
  client.socket.write(authenticationSasl(offered));
  const initial = new BodyReader(await passwordBody(client));
  const mechanism = initial.cstring();
  if (!offered.includes(mechanism)) {
    throw new ClientError({
      code: '08P01',
      message: 'The client chose an authentication mechanism that was not offered',
    });
  }
  const server = new ScramServer(verifier, {
    data: mechanism === SCRAM_SHA_256_PLUS ? binding : undefined,
    plusOffered: binding !== undefined,
  });
  const clientFirst = initial.bytes(initial.int32()).toString('utf8');
  client.socket.write(authenticationSaslContinue(server.challenge(clientFirst)));
  const proven = server.verify((await passwordBody(client)).toString('utf8'));
  if (proven === undefined) {
    throw new ClientError({ code: '28P01', message: `password authentication failed for user "${user}"` });
  }
  client.socket.write(Buffer.concat([authenticationSaslFinal(proven.serverFinal), authenticationOk()]));
  return proven.keys;
}

async function passwordBody(client: ClientSocket): Promise<Buffer> {
  const { type, body } = await client.message();
  if (type !== F.password) {
    throw new ClientError({ code: '08P01', message: 'Expected an authentication answer from the client' });
  }
  return body;
}
