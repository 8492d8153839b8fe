/** Values of flags that are not plain texts. */

import { LONGEST_WAIT_MS, parseDurationMs } from '../config/units.ts';
import { UsageError } from '../domain/errors.ts';
import { type Lsn, lsnToBigInt } from '../domain/lsn.ts';
import type { Side } from '../domain/names.ts';

/** In ms. @throws {UsageError} `bad_usage` */
export function durationFlag(flag: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0 && ms <= LONGEST_WAIT_MS) return ms;
  throw new UsageError('bad_usage', `${flag} takes a duration, not "${text}"`, {
    hint: 'For example 500ms, 30s, 10min or 24h; at most 24d.',
  });
}

/** @throws {UsageError} `bad_usage` */
export function lsnFlag(flag: string, text: string): Lsn {
  try {
    lsnToBigInt(text);
    return text;
  } catch (cause) {
    throw new UsageError('bad_usage', `${flag} takes a WAL position, not "${text}"`, {
      hint: 'As pgglide status shows it, such as 16/B374D848.',
      cause,
    });
  }
}

/** @throws {UsageError} `bad_usage` */
export function sideFlag(flag: string, text: string): Side {
  if (text === 'source' || text === 'target') return text;
  throw new UsageError('bad_usage', `${flag} takes source or target, not "${text}"`);
}
