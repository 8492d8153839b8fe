/** The certificate that the proxy shows to clients, read again when its files change: no restart to renew it. */

import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { UsageError } from '../domain/errors.ts';
import { certificateHash } from './certificate-hash.ts';
import type { ClientTls } from './client-login.ts';

export interface TlsFiles {
  /** PEM: the certificate, then its chain. */
  readonly certFile: string;
  readonly keyFile: string;
}

const LOOK_EVERY_MS = 1_000;

/** Gives the current certificate. @throws {UsageError} `tls_files_unusable`, now and never later: a broken renewal leaves the old one in place */
export function clientTls(files: TlsFiles): () => ClientTls {
  let version = tlsFilesVersion(files);
  let lookedMs = performance.now();
  let current = load(files);
  return () => {
    if (performance.now() - lookedMs < LOOK_EVERY_MS) return current;
    lookedMs = performance.now();
    const latest = tlsFilesVersion(files);
    if (latest === version) return current;
    try {
      // Both files are seldom replaced in one moment: until they fit each other, go on with the old pair.
      current = load(files);
      version = latest;
    } catch {
      return current;
    }
    return current;
  };
}

function load(files: TlsFiles): ClientTls {
  const { cert, key } = readTlsFiles(files);
  const context = createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  return { context, certificateHash: certificateHash(new X509Certificate(cert).raw) };
}

/** @throws {UsageError} `tls_files_unusable`, also when the two do not belong together */
export function readTlsFiles({ certFile, keyFile }: TlsFiles): {
  readonly cert: Buffer;
  readonly key: Buffer;
} {
  try {
    const pair = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    createSecureContext(pair);
    return pair;
  } catch (cause) {
    throw new UsageError('tls_files_unusable', `Cannot use ${certFile} and ${keyFile} for TLS`, { cause });
  }
}

/** Another text when one of the files has changed. */
export function tlsFilesVersion({ certFile, keyFile }: TlsFiles): string {
  const changed = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return `${changed(certFile)} ${changed(keyFile)}`;
}
