/** Where everything is. */

import { join } from 'node:path';
import type { Paths } from '../folder.ts';
import { environmentFile } from './connection-files.ts';
import { runningProcess } from './processes.ts';
import { serverAddress } from './servers.ts';
import { recordOf } from './up.ts';

export async function info(paths: Paths): Promise<string> {
  const record = recordOf(paths);
  const target = serverAddress(paths, 'target');
  const state = (name: string) => (runningProcess(paths, name) === undefined ? '   NOT RUNNING' : '');
  const where =
    target === undefined
      ? 'not deployed yet: lab/labctl.sh target start'
      : `${target.host}:${target.port}${state('target')}`;
  return [
    '',
    `shop         ${record.appUrl}   replicas ${record.replicaUrls.join(' ')}   now on ${await serverOf(record.appUrl)}`,
    `source       ${record.source.host}:${record.source.port}${state('source')}`,
    `target       ${where}`,
    `load         ${record.rate} requests/s${state('load')}, its ledger is ${paths.ledger}`,
    `the shop's connection (edit it, or: lab/labctl.sh app HOST:PORT)   ${paths.shopConfig}`,
    `to connect   . ${environmentFile(paths)}   then: psql service=source`,
    `logs         ${join(paths.logs, '*.log')}`,
  ].join('\n');
}

async function serverOf(url: string): Promise<string> {
  try {
    const response = await fetch(new URL('/db', url), { signal: AbortSignal.timeout(2_000) });
    const { version } = (await response.json()) as { version?: string };
    return version === undefined ? 'an unknown server' : `PostgreSQL ${version}`;
  } catch {
    return 'no server: it does not answer';
  }
}
