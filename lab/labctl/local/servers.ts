/** The two PostgreSQL servers of a local lab: embedded ones that outlive the command that starts them. */

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ServerAddress, startServer } from '../../../src/index.ts';
import { addressOf, DATABASE, type Paths } from '../folder.ts';
import { rowsOf, withSession } from '../session.ts';
import { endProcess, remember, runningProcess } from './processes.ts';

export type Side = 'source' | 'target';

export const SUPERUSER = 'postgres';

interface ServerFile {
  readonly port: number;
  readonly password: string;
}

const SETTINGS = {
  shared_buffers: '128MB',
  max_wal_size: '4GB',
  track_commit_timestamp: 'on',
} as const;

/** Of a server that is there, running or not; undefined: never started. */
export function serverAddress(paths: Paths, side: Side, database = DATABASE): ServerAddress | undefined {
  const home = homeOf(paths[side]);
  const file = join(home, 'server.json');
  if (!existsSync(file)) return undefined;
  const { port, password } = JSON.parse(readFileSync(file, 'utf8')) as ServerFile;
  return addressOf({ host: '127.0.0.1', port }, SUPERUSER, password, database);
}

/** The server's account may not reach the lab's folder; its own is then named in the file `elsewhere`. */
export function homeOf(folder: string): string {
  const pointer = join(folder, 'elsewhere');
  return existsSync(pointer) ? readFileSync(pointer, 'utf8') : folder;
}

/** Running when this resolves. Started again with its data when it was down. */
export async function ensureServer(
  paths: Paths,
  side: Side,
  password: string,
  majorVersion: number,
): Promise<'started' | 'running'> {
  if (runningProcess(paths, side) !== undefined) return 'running';
  const directory = paths[side];
  const server = await startServer({
    majorVersion,
    directory,
    settings: SETTINGS,
    superuser: SUPERUSER,
    password,
  });
  await server.leave();
  if (server.pid !== undefined) remember(paths, side, server.pid);
  return 'started';
}

/** SIGINT is PostgreSQL's fast shutdown. */
export const stopServer = (paths: Paths, side: Side): Promise<boolean> => endProcess(paths, side, 'SIGINT');

export async function removeServer(paths: Paths, side: Side): Promise<void> {
  await endProcess(paths, side, 'SIGQUIT');
  for (const path of [homeOf(paths[side]), paths[side]]) {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Empty; one that is there already stays unless `anew`. */
export async function ensureDatabase(paths: Paths, side: Side, anew = false): Promise<void> {
  const address = serverAddress(paths, side, 'postgres');
  if (address === undefined) return;
  await withSession(address, async (session) => {
    if (anew) await session.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
    const found = await rowsOf(session, 'SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (found.length === 0) await session.query(`CREATE DATABASE ${DATABASE}`);
  });
}

export async function systemIdentifier(address: ServerAddress): Promise<string> {
  const [row] = await withSession(address, (session) =>
    rowsOf<{ id: string }>(session, 'SELECT system_identifier::text AS id FROM pg_control_system()'),
  );
  return row?.id ?? '';
}
