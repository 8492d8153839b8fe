/** The library's public face; the only file that re-exports. */

export { type LoadInput, loadSettings } from './config/load.ts';
export type { ServerAddress } from './config/server-address.ts';
export type { Settings } from './config/settings.ts';
export { PgglideError } from './domain/errors.ts';
export type { MigrationEvent, SwitchoverSummary, VerificationSummary } from './domain/event.ts';
export type { Finding } from './domain/finding.ts';
export { EmbeddedServer, type StartServerOptions, startServer } from './embedded/embedded-server.ts';
export { type Migration, type MigrationOptions, openMigration } from './migration/migration.ts';
export type { Obstacle, TrafficState, TrafficSwitch } from './traffic/traffic-switch.ts';
