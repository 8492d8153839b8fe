/** Sizes and durations as people write them. PostgreSQL's meaning: 1 kB is 1024 bytes, "min" is a minute. Pure. */

const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  kib: 1024,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
  tb: 1024 ** 4,
  tib: 1024 ** 4,
};

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A timer of Node that is set for longer than 2^31 ms fires at once. "24d" */
export const LONGEST_WAIT_MS = 24 * 86_400_000;

/** "2GB", "512 kB". A bare number has no unit and is not a size, but 0: who writes 20 hardly means bytes. */
export const parseBytes = (value: string | number): number | undefined => parseAmount(value, BYTES);

/** "200MB/s" or "200MB": bytes in a second. */
export const parseRate = (value: string | number): number | undefined =>
  parseBytes(String(value).replace(/\s*\/\s*s(ec)?\s*$/i, ''));

/** "2s", "1.5 h", "250ms", in ms. A bare number is none, but 0. */
export const parseDurationMs = (value: string | number): number | undefined =>
  parseAmount(value, MILLISECONDS);

function parseAmount(value: string | number, units: Readonly<Record<string, number>>): number | undefined {
  const text = String(value).trim();
  if (text !== '' && Number(text) === 0) return 0;
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text) ?? [];
  const factor = units[unit.toLowerCase()];
  return factor === undefined ? undefined : Math.round(Number(amount) * factor);
}
