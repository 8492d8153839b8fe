/** The control API for commands from beyond this machine: over TLS only, and only for those who know the token. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestListener } from 'node:http';
import https from 'node:https';
import { readToken } from '../config/token-file.ts';
import { readTlsFiles, tlsFilesVersion } from './client-tls.ts';
import type { ControlGuard } from './options.ts';

/** An unfinished handshake or header ties up a socket for not longer than this. */
const HEADERS_TIMEOUT_MS = 10_000;

/** @throws {UsageError} `token_file_unusable`, `tls_files_unusable` */
export function guarded({ tokenFile, tls }: ControlGuard, serve: RequestListener): https.Server {
  readToken(tokenFile);
  let version = tlsFilesVersion(tls);
  const server = https.createServer(
    { ...readTlsFiles(tls), minVersion: 'TLSv1.2', handshakeTimeout: HEADERS_TIMEOUT_MS },
    (request, response) => {
      // Whether somebody is alive is no secret: those who ask have no token.
      if (request.url === '/healthz' || knowsToken(request.headers.authorization, tokenFile)) {
        serve(request, response);
        return;
      }
      response.writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Bearer' });
      response.end(JSON.stringify({ code: 'token_refused', message: 'The token is missing or wrong' }));
    },
  );
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  // A renewed certificate is shown to whoever connects next.
  server.prependListener('connection', () => {
    const latest = tlsFilesVersion(tls);
    if (latest === version) return;
    try {
      server.setSecureContext({ ...readTlsFiles(tls), minVersion: 'TLSv1.2' });
      version = latest;
    } catch {
      // Half replaced: the old pair goes on until the new one fits.
    }
  });
  return server;
}

/** The file is read each time, so that a token can be changed; hashes, so that the time of the comparison tells nothing. */
function knowsToken(authorization: string | undefined, tokenFile: string): boolean {
  const [, given] = /^Bearer (\S+)$/.exec(authorization ?? '') ?? [];
  if (given === undefined) return false;
  const hash = (text: string) => createHash('sha256').update(text).digest();
  try {
    return timingSafeEqual(hash(given), hash(readToken(tokenFile)));
  } catch {
    return false;
  }
}
