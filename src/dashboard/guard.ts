/** Who may see the state: those who know the token. The page itself is no secret. */

import { createHash, timingSafeEqual } from 'node:crypto';

/** Hashes, so that the time of the comparison tells nothing. */
export function knowsToken(authorization: string | undefined, token: string): boolean {
  const [, given] = /^Bearer (\S+)$/.exec(authorization ?? '') ?? [];
  if (given === undefined) return false;
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}
