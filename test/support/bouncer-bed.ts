/** A real PgBouncer in front of a database of each server, and the driver that switches it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openPgBouncerSwitch } from '../../src/traffic/pgbouncer-switch.ts';
import type { Database } from './database.ts';
import { startPgBouncer } from './pgbouncer.ts';

export async function startBouncer(
  source: Database,
  target: Database,
  poolMode = 'transaction',
  others: readonly string[] = [],
) {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-bouncer-'));
  const { host, port: serverPort, user, password = '' } = source.address;
  const role = `${source.name}_bouncer`;
  for (const side of [source, target]) await side.exec(`CREATE ROLE "${role}" LOGIN PASSWORD 'same'`);
  const at = `host=${host} port=${serverPort} user=${role} password=same`;
  const { port, configFile, stop } = await startPgBouncer({
    folder,
    databases: [
      ...others.map((name) => `${name} = ${at} dbname=${name}`),
      `shop = ${at} dbname=${source.name}`,
    ],
    users: { [user]: password },
    settings: [`admin_users = ${user}`, `pool_mode = ${poolMode}`],
  });
  const client = async (database = 'shop') => {
    const connection = new pg.Client({ host: '127.0.0.1', port, user, password, database });
    connection.on('error', () => undefined);
    await connection.connect();
    return connection;
  };
  const console = { ...source.address, host: '127.0.0.1', port, database: 'pgbouncer' };
  const pgbouncer = { bouncers: [{ console, configFile }], database: 'shop' };
  const servers = { source: source.address, target: target.address };
  const open = () => openPgBouncerSwitch({ ...pgbouncer, servers, others });
  return {
    client,
    configFile,
    /** As the settings name it. */
    pgbouncer,
    traffic: open(),
    /** As another run opens it. */
    open,
    async [Symbol.asyncDispose]() {
      await stop();
      await target.exec(`DROP ROLE "${role}"`);
      await rm(folder, { recursive: true });
    },
  };
}

/** Of the server that answers. */
export const major = async (client: pg.Client) =>
  (await client.query("SELECT current_setting('server_version_num')::int / 10000 AS v")).rows[0]?.v;
