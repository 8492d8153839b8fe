import { type ClusterRecord, LabError, type Paths, readRecord } from '../folder.ts';
import type { Cluster } from './kubectl.ts';

/** @throws {LabError} there is no lab, or one without a cluster */
export function clusterRecordOf(paths: Paths): ClusterRecord {
  const record = readRecord(paths);
  if (record?.mode !== 'k8s')
    throw new LabError(`There is no lab of a cluster in ${paths.folder}: run setup.sh`);
  return record;
}

export const clusterOf = ({ context, kubeconfig, namespace }: ClusterRecord): Cluster => ({
  context,
  kubeconfig,
  namespace,
});
