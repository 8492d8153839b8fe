/** Looks at both servers, changes neither. */

import type { PreflightFacts, ServerFacts, SourceFacts, TargetFacts } from '../../domain/preflight/facts.ts';
import type { Scope } from '../../domain/scope.ts';
import type { Connection } from '../connection.ts';
import { countRaisedFences } from '../fence.ts';
import { readSourceObjects } from './objects.ts';
import { readPasswords } from './passwords.ts';
import { inspectServer } from './server.ts';
import {
  readAvailableExtensions,
  readMigrationPhase,
  readOtherMigrations,
  readTargetObjects,
} from './target.ts';

export interface InspectOptions {
  readonly source: Connection;
  readonly target: Connection;
  readonly migration: string;
  readonly scope?: Scope;
}

/**
 * The facts for `preflight()`. About forty short SELECTs a server on catalogs and statistics views, both servers
 * at once; no lock but ACCESS SHARE on catalogs, nothing written, no privilege needed but CONNECT.
 * 10,000 tables take about a second.
 */
export async function inspectServers(options: InspectOptions): Promise<PreflightFacts> {
  const scope = options.scope ?? {};
  const looks = await Promise.allSettled([
    inspectSource(options.source, scope),
    inspectTarget(options.target, scope, options.migration),
  ]);
  const [source, target] = looks;
  if (source.status === 'rejected') throw source.reason;
  if (target.status === 'rejected') throw target.reason;
  return { migration: options.migration, source: source.value, target: target.value };
}

async function inspectSource(connection: Connection, scope: Scope): Promise<SourceFacts> {
  const server = await inspectServer(connection);
  return {
    ...server,
    objects: await readSourceObjects(connection, scope),
    passwords: await readPasswords(connection),
    fencedTables: await fencedTables(connection, server),
  };
}

async function inspectTarget(connection: Connection, scope: Scope, migration: string): Promise<TargetFacts> {
  const server = await inspectServer(connection);
  const hasState = server.ownSchemaTables.includes('migration');
  return {
    ...server,
    availableExtensions: await readAvailableExtensions(connection),
    migrationPhase: hasState ? await readMigrationPhase(connection, migration) : undefined,
    otherMigrations: hasState ? await readOtherMigrations(connection, migration) : [],
    objects: await readTargetObjects(connection, scope),
    fencedTables: await fencedTables(connection, server),
  };
}

const fencedTables = async (connection: Connection, { ownSchemaTables }: ServerFacts): Promise<number> =>
  ownSchemaTables.includes('installed') ? countRaisedFences(connection) : 0;
