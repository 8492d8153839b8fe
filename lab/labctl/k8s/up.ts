/** Brings the lab up in a cluster. Every step looks first: a second run changes nothing that is there. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import type { UpOptions } from '../backend.ts';
import { APP_USER, type ClusterRecord, LabError, type Paths, readRecord, writeJson } from '../folder.ts';
import { ledgerHeader } from '../ledger-facts.ts';
import { ensureSecrets, labId, readBaseline, type Secrets, writeBaseline } from '../secrets.ts';
import { seedLab } from '../seed/seed-lab.ts';
import { countRows, withSession } from '../session.ts';
import { runSteps, type Step, type StepResult } from '../steps.ts';
import { clusterOf } from './cluster-record.ts';
import { chooseCluster, requireCluster } from './context.ts';
import { apply, type Cluster, ensureSecret, find } from './kubectl.ts';
import { fetchLedger, isSameLoad, loadPod, startLoad } from './load.ts';
import { manifest } from './manifest.ts';
import { ensureNamespace, isSeeded, markSeeded } from './namespace.ts';
import { untilReady } from './pods.ts';
import { identityOf, reachServer } from './servers.ts';
import { readyShopPod, shopHashOf } from './shop.ts';

/** @throws {LabError} the cluster is not ours to use, an image is missing, or the load was interrupted */
export async function bringUp(paths: Paths, options: UpOptions): Promise<void> {
  const record = await recordFor(paths, options);
  const cluster = clusterOf(record);
  const version = await requireCluster(cluster);
  mkdirSync(paths.folder, { recursive: true });
  const { secrets } = ensureSecrets(paths);
  await ensureNamespace(cluster, labId(secrets.seed));
  writeJson(paths.record, record);
  await refuseInterrupted(paths, cluster, secrets);
  console.log(`Kubernetes ${version}, context ${cluster.context}, namespace ${cluster.namespace}`);
  await runSteps(stepsOf(paths, cluster, record, secrets));
}

/** What was asked for at the first time counts. */
async function recordFor(paths: Paths, options: UpOptions): Promise<ClusterRecord> {
  const found = readRecord(paths);
  if (found?.mode === 'k8s') return found;
  if (found !== undefined)
    throw new LabError(`The lab in ${paths.folder} runs without a cluster: --reset, or another --dir`);
  const { rows, rate, image = ownImage() } = options;
  const { context, kubeconfig, namespace } = await chooseCluster(options.context, options.namespace);
  return {
    mode: 'k8s',
    createdAt: new Date().toISOString(),
    rows,
    rate,
    context,
    kubeconfig,
    namespace,
    image,
  };
}

function ownImage(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { name, version } = JSON.parse(text) as { name: string; version: string };
  return `${name}:${version}`;
}

async function refuseInterrupted(paths: Paths, cluster: Cluster, { key }: Secrets): Promise<void> {
  const pods = readBaseline(paths, key)?.baseline.pods;
  if (pods === undefined || (await isSameLoad(cluster, pods.load))) return;
  throw new LabError(
    'The load generator that setup started runs no more. Its ledger is the witness of one unbroken run: begin anew with setup.sh --reset',
  );
}

function stepsOf(paths: Paths, cluster: Cluster, record: ClusterRecord, secrets: Secrets): Step[] {
  const { rows, rate, image } = record;
  return [
    { title: 'Secrets: passwords of superuser and shop', run: () => makeSecrets(cluster, secrets) },
    {
      title: 'pg-source: PostgreSQL 15, a StatefulSet',
      run: () => deploy(cluster, 'statefulset', 'pg-source', manifest('source.yaml', {})),
    },
    { title: `a shop of about ${rows} rows`, run: () => seedOnce(cluster, secrets, rows) },
    {
      title: 'shop: two replicas, a Service, a ConfigMap and a Secret',
      run: () => deploy(cluster, 'deployment', 'shop', manifest('shop.yaml', { IMAGE: image })),
    },
    {
      title: `loadgen: ${rate} requests per second`,
      run: async () => {
        if ((await find(cluster, 'deployment/loadgen')) !== undefined && readBaseline(paths, secrets.key))
          return 'already there';
        await startLoad(cluster, record, secrets.seed);
        return 'done';
      },
    },
    { title: "the grader's baseline", run: () => takeBaseline(paths, cluster, record, secrets) },
  ];
}

async function makeSecrets(cluster: Cluster, secrets: Secrets): Promise<StepResult> {
  const isThere = (await find(cluster, 'secret/shop-db')) !== undefined;
  await ensureSecret(cluster, 'postgres', { username: 'postgres', password: secrets.superuserPassword });
  await ensureSecret(cluster, 'shop-db', { PGUSER: APP_USER, PGPASSWORD: secrets.appPassword });
  return isThere ? 'already there' : 'done';
}

/** What the learner has changed since stays changed. */
async function deploy(
  cluster: Cluster,
  kind: 'deployment' | 'statefulset',
  name: string,
  manifests: string,
): Promise<StepResult> {
  const isThere = (await find(cluster, `${kind}/${name}`)) !== undefined;
  if (!isThere) await apply(cluster, manifests);
  await untilReady(cluster, kind, name);
  return isThere ? 'already there' : 'done';
}

/** A seed that was interrupted is thrown away: half a shop is worse than none. */
async function seedOnce(cluster: Cluster, secrets: Secrets, rows: number): Promise<StepResult> {
  if (await isSeeded(cluster)) return 'already there';
  await using server = await reachServer(cluster, 'pg-source', secrets);
  const { address } = server;
  await withSession({ ...address, database: 'postgres' }, async (session) => {
    await session.query(`DROP DATABASE IF EXISTS ${address.database} WITH (FORCE)`);
    await session.query('DROP ROLE IF EXISTS analyst, shop_reader, shop_owner, shop');
    await session.query(`CREATE DATABASE ${address.database}`);
  });
  await seedLab(address, { rows, seed: secrets.seed, appPassword: secrets.appPassword });
  await markSeeded(cluster);
  return 'done';
}

async function takeBaseline(
  paths: Paths,
  cluster: Cluster,
  { rows, rate, createdAt }: ClusterRecord,
  secrets: Secrets,
): Promise<StepResult> {
  if (readBaseline(paths, secrets.key) !== undefined) return 'already there';
  const [load, shop] = await Promise.all([loadPod(cluster), readyShopPod(cluster)]);
  if (shop === undefined) throw new LabError('No replica of the shop is ready', 1);
  await fetchLedger(paths, cluster, load.name);
  if (!existsSync(paths.ledger)) throw new LabError('The load generator gives no ledger', 1);
  await using server = await reachServer(cluster, 'pg-source', secrets);
  const { systemIdentifier } = await identityOf(server.address);
  writeBaseline(paths, secrets.key, {
    createdAt,
    rows,
    rate,
    sourceIdentifier: systemIdentifier,
    seededRows: await withSession(server.address, countRows),
    ledgerStartedAtMs: (await ledgerHeader(paths.ledger)).startedAtMs,
    pods: { load, shopHash: shopHashOf(shop) },
  });
  return 'done';
}
