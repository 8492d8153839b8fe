/** `tls-server-end-point` channel binding data (RFC 5929): the certificate's hash by its signature's own algorithm, at least SHA-256. */

import { createHash } from 'node:crypto';

/** DER of `sha384WithRSAEncryption`, `ecdsa-with-SHA384` and their SHA-512 sisters. */
const STRONGER: readonly (readonly [algorithm: string, oid: string])[] = [
  ['sha384', '2a864886f70d01010c'],
  ['sha384', '2a8648ce3d040303'],
  ['sha512', '2a864886f70d01010d'],
  ['sha512', '2a8648ce3d040304'],
];

export function certificateHash(certificate: Buffer | undefined): Buffer | undefined {
  if (certificate === undefined) return undefined;
  return createHash(signatureHash(certificate)).update(certificate).digest();
}

/** The signature's algorithm is named last in the certificate, just before the signature itself. */
function signatureHash(certificate: Buffer): string {
  let last = -1;
  let algorithm = 'sha256';
  for (const [name, oid] of STRONGER) {
    const at = certificate.lastIndexOf(Buffer.from(oid, 'hex'));
    if (at > last) [last, algorithm] = [at, name];
  }
  return algorithm;
}
