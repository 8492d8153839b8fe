/** Numbers as people read them; PostgreSQL's units of 1024. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function formatBytes(bytes) {
  const power = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${decimals(value)} ${UNITS[power]}`;
}

const decimals = (value) =>
  value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);

export const formatCount = (count) => String(Math.round(count)).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');

export function formatMs(ms) {
  if (ms < 1000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  return formatSeconds(ms / 1000);
}

function formatSeconds(seconds) {
  if (seconds < 60) return `${seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
}

/** In the reader's own time zone. */
export const formatTime = (iso) => new Date(iso).toLocaleTimeString([], { hour12: false });
