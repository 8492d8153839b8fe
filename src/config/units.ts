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

/** "2GB", "512 kB", 4096. Undefined when it is not a size. */
export function parseBytes(value: string | number): number | undefined {
  const amount = parseAmount(String(value), BYTES, 1);
  return amount === undefined ? undefined : Math.round(amount);
}

/** "200MB/s" or "200MB": bytes in a second. */
export const parseRate = (value: string | number): number | undefined =>
  parseBytes(String(value).replace(/\s*\/\s*s(ec)?\s*$/i, ''));

/** "2s", "1.5 h", "250ms", in ms. A bare number has no unit and is not a duration, but 0. */
export function parseDurationMs(value: string | number): number | undefined {
  if (Number(value) === 0 && String(value).trim() !== '') return 0;
  const amount = parseAmount(String(value), MILLISECONDS, undefined);
  return amount === undefined ? undefined : Math.round(amount);
}

function parseAmount(
  text: string,
  units: Readonly<Record<string, number>>,
  bare: number | undefined,
): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  if (match === null) return undefined;
  const [, amount = '', unit = ''] = match;
  const factor = unit === '' ? bare : units[unit.toLowerCase()];
  return factor === undefined ? undefined : Number(amount) * factor;
}
