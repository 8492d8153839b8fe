/** A certificate for this machine, or for other names, and its key. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

export async function selfSigned(folder: string, name: string, hosts: readonly string[] = []) {
  const names = ['localhost', ...hosts].map((host) => `DNS:${host}`);
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
    ...['-addext', `subjectAltName=${names.join()},IP:127.0.0.1`, '-keyout', keyFile, '-out', certFile],
  ]);
  return { certFile, keyFile };
}
