/** The keys that may be changed while `sync` runs (`pgglide set`), and how their values are written. Pure. */

import { UsageError } from '../domain/errors.ts';
import { parseBytes, parseRate } from './units.ts';

interface TunableKey {
  readonly name: 'copyJobs' | 'copyRateLimitBytesPerSecond' | 'maxWalRetainedBytes';
  readonly example: string;
  parse(text: string): number | undefined;
}

const MAX_JOBS = 256;

const KEYS: Readonly<Record<string, TunableKey>> = {
  'copy.jobs': { name: 'copyJobs', example: '2', parse: parseJobs },
  'copy.rateLimit': { name: 'copyRateLimitBytesPerSecond', example: '50MB/s', parse: positive(parseRate) },
  'throttle.maxWalRetained': {
    name: 'maxWalRetainedBytes',
    example: '40GB',
    parse: positive(parseBytes),
  },
};

export const TUNABLE_KEYS: readonly string[] = Object.keys(KEYS);
const TAKE_BACK = 'default';

function parseJobs(text: string): number | undefined {
  const jobs = Number(text);
  return Number.isInteger(jobs) && jobs >= 1 && jobs <= MAX_JOBS ? jobs : undefined;
}

function positive(parse: (text: string) => number | undefined) {
  return (text: string) => {
    const value = parse(text);
    return value !== undefined && value > 0 ? value : undefined;
  };
}

/**
 * "copy.jobs=2"; "copy.jobs=default" takes back what was set, so that the configuration's value counts again (null).
 * @throws {UsageError} `not_tunable`, `bad_usage`
 */
export function parseTunable(text: string): Partial<Record<TunableKey['name'], number | null>> {
  const [key = '', ...rest] = text.split('=');
  const name = key.trim();
  const tunable = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
  const value = rest.join('=').trim();
  if (tunable === undefined) {
    throw new UsageError('not_tunable', `"${key}" cannot be changed while sync runs`, {
      hint: `These can: ${TUNABLE_KEYS.join(', ')}. For others, change the configuration and start sync again.`,
    });
  }
  if (value === TAKE_BACK) return { [tunable.name]: null };
  const parsed = tunable.parse(value);
  if (parsed !== undefined) return { [tunable.name]: parsed };
  throw new UsageError('bad_usage', `"${value}" is no value for ${key}`, {
    hint: `For example: pgglide set ${key}=${tunable.example}. Back to the configuration: ${key}=${TAKE_BACK}`,
  });
}
