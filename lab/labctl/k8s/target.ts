/** What the learner does first: the target, PostgreSQL 16, empty. */

import { LabError, type Paths } from '../folder.ts';
import { type Baseline, readBaseline, readSecrets, type Secrets, writeBaseline } from '../secrets.ts';
import { clusterOf, clusterRecordOf } from './cluster-record.ts';
import { apply, type Cluster, find, kubectl } from './kubectl.ts';
import { manifest } from './manifest.ts';
import { untilReady } from './pods.ts';
import { identityOf, PORT, reachServer } from './servers.ts';

const NAME = 'pg-target';
const isSixteen = (versionNumber: number): boolean => Math.floor(versionNumber / 10_000) === 16;

/** Deployed, unless the learner did that with kubectl, and remembered by the grader by its system identifier. */
export async function startTarget(paths: Paths): Promise<string> {
  const cluster = clusterOf(clusterRecordOf(paths));
  const secrets = readSecrets(paths);
  if (readBaseline(paths, secrets.key) === undefined)
    throw new LabError('The lab is not complete: run setup.sh once more');
  const wasThere = (await find(cluster, `statefulset/${NAME}`)) !== undefined;
  if (!wasThere) await apply(cluster, manifest('target.yaml', {}));
  else await kubectl(cluster, ['scale', `statefulset/${NAME}`, '--replicas=1']);
  await untilReady(cluster, 'statefulset', NAME);
  const baseline = await rememberTarget(paths, cluster, secrets);
  if (baseline?.target === undefined)
    throw new LabError(`Service ${NAME} does not lead to a PostgreSQL 16`, 1);
  return `PostgreSQL 16 ${wasThere ? 'runs' : 'was deployed'} as ${NAME}:${PORT}, database shop`;
}

/** The first PostgreSQL 16 behind the Service is the target, for good. Resolves to the baseline as it then is. */
export async function rememberTarget(
  paths: Paths,
  cluster: Cluster,
  secrets: Secrets,
): Promise<Baseline | undefined> {
  const known = readBaseline(paths, secrets.key);
  if (known === undefined || !known.isSigned || known.baseline.target !== undefined) return known?.baseline;
  await using server = await reachServer(cluster, NAME, secrets).catch(() => undefined);
  if (server === undefined) return known.baseline;
  const { systemIdentifier, versionNumber } = await identityOf(server.address);
  const isOther = systemIdentifier !== known.baseline.sourceIdentifier;
  if (!isSixteen(versionNumber) || !isOther) return known.baseline;
  const baseline = {
    ...known.baseline,
    target: { systemIdentifier, endpoint: { host: NAME, port: PORT } },
  };
  writeBaseline(paths, secrets.key, baseline);
  return baseline;
}

export async function stopTarget(paths: Paths): Promise<string> {
  const cluster = clusterOf(clusterRecordOf(paths));
  if ((await find(cluster, `statefulset/${NAME}`)) === undefined) return 'It is not deployed';
  await kubectl(cluster, ['scale', `statefulset/${NAME}`, '--replicas=0']);
  await untilReady(cluster, 'statefulset', NAME);
  return 'The target was stopped; its data stays';
}
