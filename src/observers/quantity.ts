/** Numbers as people read them. Pure. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** 1536 -> "1.5 kB"; PostgreSQL's units of 1024. */
export function formatBytes(bytes: number): string {
  const { value, unit } = scaled(bytes);
  return `${value} ${unit}`;
}

/** "25.7/42.1 GB": both in the unit of the whole. */
export function formatBytesOf(done: number, total: number): string {
  const power = powerOf(total);
  return `${decimals(done / 1024 ** power)}/${decimals(total / 1024 ** power)} ${UNITS[power]}`;
}

function scaled(bytes: number): { value: string; unit: string } {
  const power = powerOf(bytes);
  return { value: decimals(bytes / 1024 ** power), unit: UNITS[power] ?? 'B' };
}

const powerOf = (bytes: number): number => {
  const size = Math.abs(bytes);
  return size < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(size) / 10));
};

const decimals = (value: number): string =>
  value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);

/** "06:41" or "1:06:41" */
export function formatClock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${two(minutes)}:${two(seconds % 60)}`;
}

/** "4m10s", "3h12m", "12s", "40 ms" */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms < 10 ? trimZero(ms.toFixed(1)) : Math.round(ms)} ms`;
  if (ms < 10_000) return `${trimZero((ms / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${Math.floor(seconds / 60) % 60}m`;
  return `${Math.floor(seconds / 86_400)}d${Math.floor(seconds / 3600) % 24}h`;
}

const trimZero = (text: string): string => text.replace(/\.0$/, '');

/** 447120 -> "447 120" */
export const formatCount = (count: number): string =>
  String(Math.round(count)).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');

/** 0.614 -> "61.4%" */
export const formatPercent = (fraction: number, digits = 0): string => `${(fraction * 100).toFixed(digits)}%`;
