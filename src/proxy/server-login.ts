/**
 * Answers to a server's authentication requests.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */

import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { BodyReader } from '../wire/bytes.ts';
import { passwordMessage, saslInitialResponse, saslResponse } from '../wire/frontend.ts';
import { SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramClient, type ScramKeys } from '../wire/scram.ts';
import { certificateHash } from './certificate-hash.ts';

/** With what the proxy logs in for a client: its password, or what its own log-in proved. A server that asks for nothing gets nothing. */
export type Credential = { readonly password: string } | ScramKeys | { readonly md5Hash: string };

/** Between the messages of one log-in. */
export interface ServerAuthentication {
  scram: ScramClient | undefined;
}

const md5 = (...parts: (string | Buffer)[]): string => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** The answer to an md5 challenge, from the hash that pg_authid stores. */
export const md5Response = (storedHash: string, salt: Buffer): string => `md5${md5(storedHash, salt)}`;

function password(credential: Credential, method: string): string {
  if ('password' in credential) return credential.password;
  throw new Error(
    `The server asks for ${method} authentication, and the proxy knows no password: list the user in the users file, or use scram-sha-256`,
  );
}

/** The message to send back; undefined when none is due. */
export async function answerAuthentication(
  body: Buffer,
  state: ServerAuthentication,
  login: { readonly parameters: ReadonlyMap<string, string>; readonly credential: Credential },
  socket: Socket,
): Promise<Buffer | undefined> {
  const reader = new BodyReader(body);
  const request = reader.int32();
  const { credential } = login;
  switch (request) {
    case 0:
      return undefined;
    case 3:
      return passwordMessage(password(credential, 'password'));
    case 5: {
      const salt = reader.bytes(4);
      const hash =
        'md5Hash' in credential
          ? credential.md5Hash
          : md5(password(credential, 'md5'), login.parameters.get('user') ?? '');
      return passwordMessage(md5Response(hash, salt));
    }
    case 10: {
      if ('md5Hash' in credential)
        throw new Error('The role has an md5 password on one server and a SCRAM one on the other');
      const offered = new Set<string>();
      while (reader.left > 1) offered.add(reader.cstring());
      const binding =
        offered.has(SCRAM_SHA_256_PLUS) && socket instanceof TLSSocket
          ? certificateHash(socket.getPeerX509Certificate()?.raw)
          : undefined;
      const mechanism = binding === undefined ? SCRAM_SHA_256 : SCRAM_SHA_256_PLUS;
      if (!offered.has(mechanism)) throw new Error(`The server offers no ${SCRAM_SHA_256}`);
      state.scram = new ScramClient(credential, binding);
      return saslInitialResponse(mechanism, state.scram.first());
    }
    case 11:
      return saslResponse((await state.scram?.respond(body.toString('utf8', 4))) ?? '');
    case 12:
      if (state.scram?.accepts(body.toString('utf8', 4))) return undefined;
      throw new Error('The server could not prove that it knows the role’s password');
    default:
      throw new Error(
        `The server asks for an authentication method (${request}) that the proxy does not speak`,
      );
  }
}
