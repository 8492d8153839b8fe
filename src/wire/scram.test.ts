import { describe, expect, test } from 'vitest';
import {
  deriveKeys,
  impossibleVerifier,
  readVerifier,
  ScramClient,
  type ScramKeys,
  ScramServer,
  type ScramVerifier,
  VerifierMismatchError,
} from './scram.ts';

const SALT = Buffer.from('sixteen bytes it').toString('base64');

async function exchange(
  credential: { password: string } | ScramKeys,
  verifier: ScramVerifier,
  binding?: Buffer,
) {
  const client = new ScramClient(credential, binding);
  const server = new ScramServer(verifier, { data: binding, plusOffered: binding !== undefined });
  const proven = server.verify(await client.respond(server.challenge(client.first())));
  return { proven, mutual: proven !== undefined && client.accepts(proven.serverFinal) };
}

describe('SCRAM-SHA-256', () => {
  test('reads the verifier that PostgreSQL stores', async () => {
    const { verifier } = await deriveKeys('pencil', SALT, 4096);
    const text = `SCRAM-SHA-256$4096:${SALT}$${verifier.storedKey.toString('base64')}:${verifier.serverKey.toString('base64')}`;
    expect(readVerifier(text)).toEqual(verifier);
    expect(readVerifier('md5d41d8cd98f00b204e9800998ecf8427e')).toBeUndefined();
    expect(readVerifier('SCRAM-SHA-256$4096:c2FsdA==$c2hvcnQ=:c2hvcnQ=')).toBeUndefined();
  });

  test('the recovered keys log in again, without the password', async () => {
    const { verifier } = await deriveKeys('pencil', SALT, 4096);
    const first = await exchange({ password: 'pencil' }, verifier);
    expect(first.mutual).toBe(true);
    const keys = first.proven?.keys;
    expect(keys).toBeDefined();
    if (keys !== undefined) expect((await exchange(keys, verifier)).mutual).toBe(true);
  });

  test('a wrong password and an impossible verifier fail alike', async () => {
    const { verifier } = await deriveKeys('pencil', SALT, 4096);
    expect((await exchange({ password: 'crayon' }, verifier)).proven).toBeUndefined();
    const impossible = impossibleVerifier('nobody', Buffer.alloc(32));
    expect((await exchange({ password: 'pencil' }, impossible)).proven).toBeUndefined();
    expect(impossibleVerifier('nobody', Buffer.alloc(32)).salt).toBe(impossible.salt);
  });

  test('keys of another verifier are not tried', async () => {
    const keys = await deriveKeys('pencil', SALT, 4096);
    const other = await deriveKeys('pencil', SALT, 5000);
    await expect(exchange(keys, other.verifier)).rejects.toThrow(VerifierMismatchError);
  });

  test('binds to the channel', async () => {
    const { verifier } = await deriveKeys('pencil', SALT, 4096);
    expect((await exchange({ password: 'pencil' }, verifier, Buffer.alloc(32, 1))).mutual).toBe(true);
    const client = new ScramClient({ password: 'pencil' }, Buffer.alloc(32, 1));
    const server = new ScramServer(verifier, { data: Buffer.alloc(32, 2), plusOffered: true });
    expect(server.verify(await client.respond(server.challenge(client.first())))).toBeUndefined();
  });
});
