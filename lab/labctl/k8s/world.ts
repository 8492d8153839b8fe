/** The lab in a cluster as the checks see it. */

import { existsSync } from 'node:fs';
import { readLedger } from '../../load/ledger.ts';
import { LabError, type Paths } from '../folder.ts';
import { probeWithOrder } from '../grade/probe.ts';
import { lazyReference } from '../grade/reference.ts';
import { tampering } from '../grade/witness.ts';
import type { GradeWorld, OpenWorld } from '../grade/world.ts';
import { lazily } from '../lazily.ts';
import { sealsOf } from '../ledger-facts.ts';
import { readReport } from '../report-file.ts';
import { readBaseline, readSecrets, type Secrets } from '../secrets.ts';
import { clusterOf, clusterRecordOf } from './cluster-record.ts';
import { exposedInCluster } from './exposed-secrets.ts';
import { openForward } from './forward.ts';
import type { Cluster } from './kubectl.ts';
import { fetchLedger, isSameLoad } from './load.ts';
import { type ReachableServer, reachServer } from './servers.ts';
import { replicasOf, SHOP_PORT } from './shop.ts';
import { rememberTarget } from './target.ts';

/** @throws {LabError} when setup has not come to its end, or the application is gone */
export async function openClusterWorld(paths: Paths): Promise<OpenWorld> {
  const toClose: AsyncDisposable[] = [];
  const close = async () => {
    await Promise.all(toClose.map((one) => one[Symbol.asyncDispose]()));
  };
  try {
    return { ...(await look(paths, toClose)), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What must be closed afterwards goes into `toClose`. */
async function look(paths: Paths, toClose: AsyncDisposable[]): Promise<GradeWorld> {
  const keep = <T extends AsyncDisposable | undefined>(one: T): T => {
    if (one !== undefined) toClose.push(one);
    return one;
  };
  const record = clusterRecordOf(paths);
  const cluster = clusterOf(record);
  const secrets = readSecrets(paths);
  const { isSigned = true } = readBaseline(paths, secrets.key) ?? {};
  const baseline = await rememberTarget(paths, cluster, secrets);
  if (baseline?.pods === undefined) throw new LabError('The lab is not complete: run setup.sh --reset');
  const { pods } = baseline;
  const replicas = await replicasOf(cluster, pods.shopHash);
  const replicaUrls = await Promise.all(
    replicas.pods.map(async (pod) => {
      const { port } = keep(await openForward(cluster, `pod/${pod}`, SHOP_PORT));
      return `http://127.0.0.1:${port}`;
    }),
  );
  const [appUrl] = replicaUrls;
  if (appUrl === undefined) throw new LabError('No replica of the shop is ready: run setup.sh --reset');
  const { address: source } = keep(await reachServer(cluster, 'pg-source', secrets));
  const target = keep(await reachTarget(cluster, secrets));
  const fetched = await fetchLedger(paths, cluster, pods.load.name);
  if (!existsSync(paths.ledger)) throw new LabError('The ledger is gone', 3);
  const ledger = await readLedger(paths.ledger, secrets.seed);
  const reference = keep(lazyReference(baseline, secrets));
  const sides = { appUrl, source, target: target?.address };
  const isLoadRunning = await isSameLoad(cluster, pods.load);
  const seals = await sealsOf(paths.ledger);
  return {
    ...sides,
    secrets,
    baseline,
    replicaUrls,
    strangers: replicas.strangers,
    ledger,
    ledgerReadAtMs: fetched.atMs ?? Date.now(),
    seals,
    isLoadRunning,
    reportText: readReport(),
    tampering: [
      ...tampering(ledger, baseline, isSigned),
      ...(fetched.isShorter ? ['the ledger is shorter than it was'] : []),
    ],
    probe: lazily(() => probeWithOrder(sides)),
    reference: reference.address,
    exposedSecrets: () =>
      exposedInCluster(cluster, [secrets.appPassword, secrets.superuserPassword, secrets.seed]),
  };
}

/** Undefined: nothing is behind the target's Service. */
const reachTarget = (cluster: Cluster, secrets: Secrets): Promise<ReachableServer | undefined> =>
  reachServer(cluster, 'pg-target', secrets).catch(() => undefined);
