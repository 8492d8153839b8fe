/**
 * SCRAM-SHA-256, both ends. The server's end recovers the client key, with which the client's end
 * logs in to any server that has the same verifier: no password is ever known here.
 * @see https://www.postgresql.org/docs/current/sasl-authentication.html and RFC 5802, RFC 7677
 */

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { ProtocolError } from './protocol-error.ts';

export const SCRAM_SHA_256 = 'SCRAM-SHA-256';
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS';

/** What pg_authid.rolpassword holds for a role: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. */
export interface ScramVerifier {
  readonly iterations: number;
  /** Base64, as it travels. */
  readonly salt: string;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** What a login proved: enough to log in elsewhere under the same verifier. */
export interface ScramKeys {
  readonly clientKey: Buffer;
  readonly verifier: ScramVerifier;
}

const pbkdf2Async = promisify(pbkdf2);
const hmac = (key: Buffer, text: string | Buffer): Buffer => createHmac('sha256', key).update(text).digest();
const hash = (data: Buffer): Buffer => createHash('sha256').update(data).digest();
const xor = (left: Buffer, right: Buffer): Buffer =>
  Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)));
const nonce = (): string => randomBytes(18).toString('base64');

/** Undefined when the text is not a SCRAM-SHA-256 verifier (an md5 one, for instance). */
export function readVerifier(text: string): ScramVerifier | undefined {
  const match = /^SCRAM-SHA-256\$(\d{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, iterations = '', salt = '', storedKey = '', serverKey = ''] = match;
  const verifier = {
    iterations: Number(iterations),
    salt,
    storedKey: Buffer.from(storedKey, 'base64'),
    serverKey: Buffer.from(serverKey, 'base64'),
  };
  return verifier.storedKey.length === 32 && verifier.serverKey.length === 32 ? verifier : undefined;
}

/** A verifier that nothing satisfies, so that an unknown user takes the same path as a wrong password; stable per user. */
export function impossibleVerifier(user: string, secret: Buffer): ScramVerifier {
  const salt = hmac(secret, user).subarray(0, 16).toString('base64');
  return { iterations: 4096, salt, storedKey: randomBytes(32), serverKey: randomBytes(32) };
}

/** The keys a password gives under a verifier's salt and iterations. */
export async function deriveKeys(password: string, salt: string, iterations: number): Promise<ScramKeys> {
  const salted = await pbkdf2Async(
    password.normalize('NFKC'),
    Buffer.from(salt, 'base64'),
    iterations,
    32,
    'sha256',
  );
  const clientKey = hmac(salted, 'Client Key');
  const verifier = { iterations, salt, storedKey: hash(clientKey), serverKey: hmac(salted, 'Server Key') };
  return { clientKey, verifier };
}

function attributes(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of text.split(',')) {
    if (part[1] === '=') found.set(part[0] ?? '', part.slice(2));
  }
  return found;
}

function attribute(found: ReadonlyMap<string, string>, letter: string): string {
  const value = found.get(letter);
  if (value === undefined) throw new ProtocolError(`SCRAM message without ${letter}=`);
  return value;
}

/** The server's end of one exchange. */
export class ScramServer {
  readonly #verifier: ScramVerifier;
  /** Hash of our certificate when the client chose the -PLUS mechanism. */
  readonly #bindingData: Buffer | undefined;
  readonly #plusOffered: boolean;
  #gs2Header = '';
  #clientFirstBare = '';
  #serverFirst = '';
  #nonce = '';

  constructor(
    verifier: ScramVerifier,
    binding: { readonly data?: Buffer | undefined; readonly plusOffered: boolean },
  ) {
    this.#verifier = verifier;
    this.#bindingData = binding.data;
    this.#plusOffered = binding.plusOffered;
  }

  /** client-first -> server-first. */
  challenge(clientFirst: string): string {
    const match = /^((?:n|y|p=([a-z0-9-]+)),(?:a=[^,]*)?,)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+).*)$/.exec(
      clientFirst,
    );
    if (match === null) throw new ProtocolError('Malformed SCRAM client-first-message');
    const [, gs2 = '', binding, bare = '', clientNonce = ''] = match;
    this.#checkBinding(gs2, binding);
    this.#gs2Header = gs2;
    this.#clientFirstBare = bare;
    this.#nonce = clientNonce + nonce();
    this.#serverFirst = `r=${this.#nonce},s=${this.#verifier.salt},i=${this.#verifier.iterations}`;
    return this.#serverFirst;
  }

  /** client-final -> server-final and the recovered keys; undefined when the proof is wrong. */
  verify(clientFinal: string): { readonly serverFinal: string; readonly keys: ScramKeys } | undefined {
    const cut = clientFinal.lastIndexOf(',p=');
    if (cut < 0) throw new ProtocolError('SCRAM client-final-message without a proof');
    const withoutProof = clientFinal.slice(0, cut);
    const found = attributes(withoutProof);
    const proof = Buffer.from(clientFinal.slice(cut + 3), 'base64');
    const expected = Buffer.concat([Buffer.from(this.#gs2Header), this.#bindingData ?? Buffer.alloc(0)]);
    if (attribute(found, 'c') !== expected.toString('base64')) return undefined;
    if (attribute(found, 'r') !== this.#nonce || proof.length !== 32) return undefined;
    const authMessage = `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`;
    const clientKey = xor(proof, hmac(this.#verifier.storedKey, authMessage));
    if (!timingSafeEqual(hash(clientKey), this.#verifier.storedKey)) return undefined;
    const signature = hmac(this.#verifier.serverKey, authMessage).toString('base64');
    return { serverFinal: `v=${signature}`, keys: { clientKey, verifier: this.#verifier } };
  }

  #checkBinding(gs2: string, type: string | undefined): void {
    if (type !== undefined && (this.#bindingData === undefined || type !== 'tls-server-end-point')) {
      throw new ProtocolError('Unsupported SCRAM channel binding');
    }
    if (type === undefined && this.#bindingData !== undefined) {
      throw new ProtocolError('The client chose channel binding and did not bind');
    }
    // "y": the client would have bound but saw no offer. If we did offer, someone in the middle took it away.
    if (gs2.startsWith('y') && this.#plusOffered) {
      throw new ProtocolError('SCRAM channel binding was offered and the client did not see it');
    }
  }
}

/** The client's end of one exchange. */
export class ScramClient {
  readonly #credential: { readonly password: string } | ScramKeys;
  readonly #binding: Buffer | undefined;
  readonly #bare = `n=,r=${nonce()}`;
  #expectedServerFinal = '';

  /** `binding`: hash of the server's certificate, for SCRAM-SHA-256-PLUS. */
  constructor(credential: { readonly password: string } | ScramKeys, binding?: Buffer) {
    this.#credential = credential;
    this.#binding = binding;
  }

  get #gs2Header(): string {
    return this.#binding === undefined ? 'n,,' : 'p=tls-server-end-point,,';
  }

  first(): string {
    return this.#gs2Header + this.#bare;
  }

  /** server-first -> client-final. @throws {VerifierMismatchError} when the keys belong to another verifier */
  async respond(serverFirst: string): Promise<string> {
    const found = attributes(serverFirst);
    const serverNonce = attribute(found, 'r');
    if (!serverNonce.startsWith(this.#bare.slice('n=,r='.length)))
      throw new ProtocolError('SCRAM nonce changed');
    const salt = attribute(found, 's');
    const iterations = Number(attribute(found, 'i'));
    const keys = await this.#keysFor(salt, iterations);
    const bound = Buffer.concat([Buffer.from(this.#gs2Header), this.#binding ?? Buffer.alloc(0)]);
    const withoutProof = `c=${bound.toString('base64')},r=${serverNonce}`;
    const authMessage = `${this.#bare},${serverFirst},${withoutProof}`;
    const proof = xor(keys.clientKey, hmac(keys.verifier.storedKey, authMessage)).toString('base64');
    this.#expectedServerFinal = `v=${hmac(keys.verifier.serverKey, authMessage).toString('base64')}`;
    return `${withoutProof},p=${proof}`;
  }

  /** True when the server proved that it knows the verifier. */
  accepts(serverFinal: string): boolean {
    return serverFinal === this.#expectedServerFinal;
  }

  async #keysFor(salt: string, iterations: number): Promise<ScramKeys> {
    if ('password' in this.#credential) return await deriveKeys(this.#credential.password, salt, iterations);
    const { verifier } = this.#credential;
    if (verifier.salt !== salt || verifier.iterations !== iterations) throw new VerifierMismatchError();
    return this.#credential;
  }
}

/** The role has another SCRAM verifier here than where the client proved itself. */
export class VerifierMismatchError extends Error {
  constructor() {
    super('The role’s SCRAM verifier is not the one there that the session logged in with');
    this.name = 'VerifierMismatchError';
  }
}
