/** What an embedded server is configured with. Pure. */

export type Settings = Readonly<Record<string, string>>;

/**
 * Enough of everything for a migration and its tests; fsync stays on.
 * The Unix socket lies in the data directory itself ('.'): nobody else's folder, and no path too long for a socket.
 */
const DEFAULTS: Settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '.',
  wal_level: 'logical',
  max_connections: '100',
  max_replication_slots: '50',
  max_wal_senders: '50',
  max_logical_replication_workers: '20',
  max_sync_workers_per_subscription: '4',
  max_worker_processes: '40',
  max_prepared_transactions: '10',
  password_encryption: 'scram-sha-256',
  log_destination: 'stderr',
  logging_collector: 'off',
  log_line_prefix: '%m [%p] %q%u@%d %a ',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** What may not be overridden: it would open the server to others, or hide it from us. */
const FIXED: ReadonlySet<string> = new Set([
  'listen_addresses',
  'unix_socket_directories',
  'logging_collector',
  'log_destination',
  'port',
]);

/** A postgresql.conf: defaults, then the caller's settings, then the port. */
export function renderSettings(settings: Settings, port: number): string {
  for (const name of Object.keys(settings)) {
    if (FIXED.has(name)) throw new Error(`An embedded server sets ${name} itself`);
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name)) throw new Error(`Not a setting's name: ${name}`);
  }
  const all = { ...DEFAULTS, ...settings, port: String(port) };
  return Object.entries(all)
    .map(([name, value]) => `${name} = ${quoted(value)}\n`)
    .join('');
}

function quoted(value: string): string {
  if (/[\n\r\0]/.test(value)) throw new Error('A setting is one line');
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
