/** Texts of ours, and kept ones of a client, in whatever client_encoding its session has by now. */

import { query } from '../wire/frontend.ts';

export const UTF8 = 'UTF8';

/** Messages and in how many answers they end. */
export interface Exchange {
  readonly messages: Buffer;
  readonly points: number;
}

const COMMIT = query('COMMIT');

/**
 * Messages of one exchange whose `text` is in `encoding`. The server is told so for a transaction of its own: what they prepare
 * or set stays, and the session's client_encoding comes back. ASCII means the same in all of them.
 */
export function readIn(encoding: string, text: Buffer, messages: Buffer): Exchange {
  if (text.every((byte) => byte < 0x80)) return { messages, points: 1 };
  const begin = query(`BEGIN; SET LOCAL client_encoding = '${encoding.replaceAll("'", "''")}'`);
  return { messages: Buffer.concat([begin, messages, COMMIT]), points: 3 };
}
