/** Finds and runs an installed pg_dump. */

import { spawn } from 'node:child_process';
import type { ServerAddress } from '../config/server-address.ts';
import { type Ended, outputOf } from './child-output.ts';
import { environmentWithoutPg } from './environment-without-pg.ts';

/** The major version of the pg_dump at `command`; undefined when it cannot be run. */
export async function nativePgDumpMajor(command: string): Promise<number | undefined> {
  try {
    const { stdout, exitCode } = await run(command, ['--version'], process.env);
    const version = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1];
    return exitCode === 0 && version !== undefined ? Number(version) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Executes pg_dump at `command` and returns its script.
 *
 * @throws {Error} with what pg_dump wrote to its stderr.
 * @see https://www.postgresql.org/docs/current/app-pgdump.html
 */
export async function runNativePgDump(
  command: string,
  address: ServerAddress,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const { stdout, stderr, exitCode } = await run(command, args, libpqEnvironment(address), signal);
  if (exitCode !== 0) throw new Error(`pg_dump ended with ${exitCode}: ${stderr.trim()}`);
  return stdout;
}

/** Everything by environment, nothing by argument: the password would show in `ps`. */
function libpqEnvironment(address: ServerAddress): NodeJS.ProcessEnv {
  const settings = [address.options, '-c lc_monetary=C -c standard_conforming_strings=on'];
  const wanted: Record<string, string | undefined> = {
    PGHOST: address.host,
    PGPORT: String(address.port),
    PGUSER: address.user,
    PGDATABASE: address.database,
    PGPASSWORD: address.password,
    PGSSLMODE: address.sslMode,
    PGSSLROOTCERT: address.sslRootCert,
    PGSSLCERT: address.sslCert,
    PGSSLKEY: address.sslKey,
    PGCONNECT_TIMEOUT: String(Math.max(2, Math.ceil(address.connectTimeoutMs / 1000))),
    PGAPPNAME: 'pgglide: schema dump',
    PGOPTIONS: settings.filter((setting) => setting !== undefined).join(' '),
    PGTZ: 'UTC',
    LC_ALL: 'C',
  };
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  return { ...environmentWithoutPg(), ...Object.fromEntries(given) };
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Ended> {
  const child = spawn(command, [...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  return outputOf(child);
}
