import { existsSync, rmSync } from 'node:fs';
import type { Paths } from '../folder.ts';
import { labId, readSecrets } from '../secrets.ts';
import { clusterOf, clusterRecordOf } from './cluster-record.ts';
import { removeNamespace } from './namespace.ts';

/** The namespace with all that is in it, and the folder. Resolves to false when there was no lab. */
export async function takeDown(paths: Paths): Promise<boolean> {
  if (!existsSync(paths.folder)) return false;
  const cluster = clusterOf(clusterRecordOf(paths));
  await removeNamespace(cluster, labId(readSecrets(paths).seed));
  rmSync(paths.folder, { recursive: true, force: true, maxRetries: 3 });
  return true;
}
