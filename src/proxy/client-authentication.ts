/** How a client proves who it is, by what is known of the role: a SCRAM verifier, an md5 hash, or its password. */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import {
  authenticationMd5,
  authenticationOk,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
} from '../wire/backend.ts';
import { BodyReader } from '../wire/bytes.ts';
import { F } from '../wire/message-type.ts';
import {
  deriveKeys,
  impossibleVerifier,
  readVerifier,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  ScramServer,
  type ScramVerifier,
} from '../wire/scram.ts';
import { ClientError } from './client-error.ts';
import type { ClientSocket } from './client-socket.ts';
import { type Credential, md5Response } from './server-login.ts';

/** Makes the answers for users that do not exist stable while the proxy lives. */
const MOCK_SECRET = randomBytes(32);
const ITERATIONS = 4096;

/**
 * `secret`: pg_authid.rolpassword or a line of the users file; undefined for a role that nobody knows.
 * `bindingData`: hash of our certificate when the client came over TLS.
 * @throws {ClientError} 28P01 when the proof is wrong
 */
export async function authenticate(
  client: ClientSocket,
  user: string,
  secret: string | undefined,
  bindingData: Buffer | undefined,
): Promise<Credential> {
  const md5 = secret === undefined ? null : /^md5([0-9a-f]{32})$/.exec(secret);
  if (md5?.[1] !== undefined) return await byMd5(client, user, md5[1]);
  const binding = client.socket instanceof TLSSocket ? bindingData : undefined;
  const verifier = secret === undefined ? undefined : readVerifier(secret);
  if (secret === undefined || verifier !== undefined) {
    return await byScram(client, user, verifier ?? impossibleVerifier(user, MOCK_SECRET), binding);
  }
  // A password in the users file: the client proves it by SCRAM all the same.
  await byScram(client, user, await verifierFor(user, secret), binding);
  return { password: secret };
}

const derived = new Map<string, { readonly password: string; readonly verifier: ScramVerifier }>();

/** Deriving costs milliseconds on purpose: once a password is enough. */
async function verifierFor(user: string, password: string): Promise<ScramVerifier> {
  const known = derived.get(user);
  if (known?.password === password) return known.verifier;
  const { verifier } = await deriveKeys(password, randomBytes(16).toString('base64'), ITERATIONS);
  derived.set(user, { password, verifier });
  return verifier;
}

async function byScram(
  client: ClientSocket,
  user: string,
  verifier: ScramVerifier,
  binding: Buffer | undefined,
): Promise<Credential> {
  const offered = binding === undefined ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
  client.socket.write(authenticationSasl(offered));
  const initial = new BodyReader(await answerBody(client));
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
  const proven = server.verify((await answerBody(client)).toString('utf8'));
  if (proven === undefined) throw wrongPassword(user);
  client.socket.write(Buffer.concat([authenticationSaslFinal(proven.serverFinal), authenticationOk()]));
  return proven.keys;
}

async function byMd5(client: ClientSocket, user: string, hash: string): Promise<Credential> {
  const salt = randomBytes(4);
  client.socket.write(authenticationMd5(salt));
  const answer = await answerBody(client);
  const expected = Buffer.from(`${md5Response(hash, salt)}\0`);
  if (answer.length !== expected.length || !timingSafeEqual(answer, expected)) throw wrongPassword(user);
  client.socket.write(authenticationOk());
  return { md5Hash: hash };
}

const wrongPassword = (user: string): ClientError =>
  new ClientError({ code: '28P01', message: `password authentication failed for user "${user}"` });

async function answerBody(client: ClientSocket): Promise<Buffer> {
  const { type, body } = await client.message();
  if (type !== F.password) {
    throw new ClientError({ code: '08P01', message: 'Expected an authentication answer from the client' });
  }
  return body;
}
