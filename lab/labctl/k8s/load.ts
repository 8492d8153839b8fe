/** The load generator's pod and its ledger, of which this machine keeps a copy that only grows. */

import { closeSync, constants, existsSync, openSync, statSync, writeSync } from 'node:fs';
import type { ClusterRecord, Paths } from '../folder.ts';
import { LabError } from '../folder.ts';
import { apply, type Cluster, find, kubectl, kubectlBytes, list, until } from './kubectl.ts';
import { manifest } from './manifest.ts';
import { containerHash, isReady, type Pod, refuseHopeless, restartsOf, untilReady } from './pods.ts';

const NAME = 'loadgen';
const LEDGER = '/ledger/ledger.jsonl';
const PIPE = '/ledger/seed';
const MINUTE_MS = 60_000;

/** Running when this resolves, with the seed in its memory and nowhere else in the cluster. */
export async function startLoad(cluster: Cluster, record: ClusterRecord, seed: string): Promise<void> {
  await apply(cluster, manifest('load.yaml', { IMAGE: record.image, RATE: String(record.rate) }));
  let pod: Pod | undefined;
  const hasPipe = async () => {
    const pods = await list<Pod>(cluster, 'pods', `app=${NAME}`);
    refuseHopeless(pods);
    pod = pods[0];
    return pod !== undefined && (await succeeds(cluster, pod, ['test', '-p', PIPE]));
  };
  await until(
    hasPipe,
    2 * MINUTE_MS,
    () => 'The load generator does not start: kubectl logs deployment/loadgen',
  );
  if (pod === undefined) return;
  if (!(await succeeds(cluster, pod, ['test', '-s', LEDGER])))
    await kubectl(cluster, ['exec', '-i', pod.metadata.name, '--', 'sh', '-c', `cat >${PIPE}`], {
      input: seed,
    });
  await untilReady(cluster, 'deployment', NAME);
}

const succeeds = (cluster: Cluster, { metadata }: Pod, command: readonly string[]): Promise<boolean> =>
  kubectl(cluster, ['exec', metadata.name, '--', ...command]).then(
    () => true,
    () => false,
  );

export interface LoadPod {
  readonly name: string;
  readonly uid: string;
  readonly specHash: string;
}

/** @throws {LabError} it does not run */
export async function loadPod(cluster: Cluster): Promise<LoadPod> {
  const pod = (await list<Pod>(cluster, 'pods', `app=${NAME}`)).find(isReady);
  if (pod === undefined) throw new LabError('The load generator does not run', 1);
  return { name: pod.metadata.name, uid: pod.metadata.uid, specHash: containerHash(pod, NAME, true) };
}

/** The very pod that setup started, never restarted, with what it was started with. */
export async function isSameLoad(cluster: Cluster, { name, uid, specHash }: LoadPod): Promise<boolean> {
  const pod = await find<Pod>(cluster, `pod/${name}`);
  return (
    pod !== undefined &&
    pod.metadata.uid === uid &&
    isReady(pod) &&
    restartsOf(pod) === 0 &&
    containerHash(pod, NAME, true) === specHash
  );
}

export interface Fetched {
  /** On the generator's clock, ms since 1970; undefined: its pod is gone, and the copy is all there is. */
  readonly atMs: number | undefined;
  /** The file is shorter than what was read of it before. */
  readonly isShorter: boolean;
}

/** Adds to the copy what has come since. */
export async function fetchLedger(paths: Paths, cluster: Cluster, podName: string): Promise<Fetched> {
  const have = existsSync(paths.ledger) ? statSync(paths.ledger).size : 0;
  // First the time and the size, then the bytes: what is written meanwhile is the next reading's.
  const script = `date +%s%3N; stat -c %s ${LEDGER}; tail -c +${have + 1} ${LEDGER}`;
  const got = await kubectlBytes(cluster, ['exec', podName, '--', 'sh', '-c', script]).catch(() => undefined);
  if (got === undefined) return { atMs: undefined, isShorter: false };
  const [atMs = '', size = ''] = got.toString('latin1', 0, 64).split('\n', 2);
  writeAt(paths.ledger, have, got.subarray(atMs.length + size.length + 2));
  return { atMs: Number(atMs), isShorter: Number(size) < have };
}

/** Not at the end: somebody else may have fetched the same meanwhile, and its lines must not be there twice. */
function writeAt(path: string, position: number, bytes: Uint8Array): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(file, bytes, done, bytes.length - done, position + done);
    }
  } finally {
    closeSync(file);
  }
}
