/** Where the shop finds its database: a mounted file, as Kubernetes gives it, or the environment. */

import { readFileSync } from 'node:fs';
import type { PoolConfig } from 'pg';

/** Of a pool: where to connect and as whom. */
export type DatabaseSettings = Pick<
  PoolConfig,
  'connectionString' | 'host' | 'port' | 'user' | 'password' | 'database'
> & {
  /** False: no named statements, for poolers that give each transaction another session. */
  readonly preparedStatements?: boolean;
};

/**
 * SHOP_CONFIG names a file, DATABASE_URL holds a connection string, and otherwise PGHOST, PGPORT, PGUSER,
 * PGPASSWORD and PGDATABASE count, which node-postgres reads by itself. Without a file, SHOP_PREPARED_STATEMENTS=off does
 * what `preparedStatements: false` does in one.
 */
export function databaseSettings(environment: NodeJS.ProcessEnv): DatabaseSettings {
  if (environment.SHOP_CONFIG !== undefined)
    return parseConfigFile(readFileSync(environment.SHOP_CONFIG, 'utf8'));
  const naming = environment.SHOP_PREPARED_STATEMENTS === 'off' ? { preparedStatements: false } : {};
  if (environment.DATABASE_URL !== undefined)
    return { connectionString: environment.DATABASE_URL, ...naming };
  return naming;
}

/** Either a connection string alone, or a JSON object with host, port, user, password, database and preparedStatements. */
export function parseConfigFile(text: string): DatabaseSettings {
  const trimmed = text.trim();
  if (!trimmed.startsWith('{')) return { connectionString: trimmed };
  const { host, port, user, password, database, connectionString, preparedStatements } = JSON.parse(
    trimmed,
  ) as DatabaseSettings;
  const parts = { host, port, user, password, database, connectionString, preparedStatements };
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}
