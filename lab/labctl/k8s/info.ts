/** Where everything is. */

import type { Paths } from '../folder.ts';
import { clusterOf, clusterRecordOf } from './cluster-record.ts';
import { find, kubectl } from './kubectl.ts';

interface ConfigMap {
  readonly data?: Readonly<Record<string, string>>;
}

export async function info(paths: Paths): Promise<string> {
  const record = clusterRecordOf(paths);
  const cluster = clusterOf(record);
  const [shopDb, target, pods] = await Promise.all([
    find<ConfigMap>(cluster, 'configmap/shop-db'),
    find(cluster, 'statefulset/pg-target'),
    kubectl(cluster, ['get', 'pods', '-o', 'wide']),
  ]);
  const { PGHOST = '?', PGPORT = '?' } = shopDb?.data ?? {};
  const k = `kubectl --context ${record.context} -n ${record.namespace}`;
  return [
    '',
    pods.trimEnd(),
    '',
    `shop         Service shop; its database is in ConfigMap and Secret shop-db, now ${PGHOST}:${PGPORT}`,
    'source       pg-source:5432, database shop, superuser postgres (Secret postgres)',
    `target       ${target === undefined ? 'not deployed yet: lab/labctl.sh target start' : 'pg-target:5432'}`,
    `load         ${record.rate} requests/s through Service shop`,
    `to connect   ${k} exec -it pg-source-0 -- psql -U postgres shop`,
    `to move the shop (or edit shop-db and restart the Deployment)   lab/labctl.sh app HOST:PORT`,
  ].join('\n');
}
