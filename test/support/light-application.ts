/** An application that only says, in its pods' logs, where it was told that its database is. */

import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { V1Deployment, V1Pod, V1StatefulSet } from '@kubernetes/client-node';
import { until } from '../../src/base/async.ts';
import type { Cluster, ObjectRef } from '../../src/kubernetes/cluster.ts';
import { manifest } from './cluster.ts';

export interface LightApplication {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly data: Readonly<Record<string, string>>;
  /** How its pods read it. */
  readonly by: 'envFrom' | 'env' | 'file';
  /** Default: a Deployment of one pod; a StatefulSet has two. */
  readonly workload?: 'Deployment' | 'StatefulSet';
  /** Not ready where this comes out false. */
  readonly readyIf?: string;
}

const NAME = 'app';
export const appOf = (kind: 'Deployment' | 'StatefulSet'): ObjectRef => ({
  apiVersion: 'apps/v1',
  kind,
  name: NAME,
});
export const APP: ObjectRef = appOf('Deployment');

/** Its ConfigMap or Secret and its workload are both called `app`; resolves when its pods run. */
export async function startApplication(cluster: Cluster, application: LightApplication): Promise<ObjectRef> {
  const { kind, data, workload = 'Deployment' } = application;
  const content = kind === 'Secret' ? { stringData: data } : { data };
  await cluster.apply(manifest({ apiVersion: 'v1', kind, metadata: { name: NAME }, ...content }));
  await cluster.apply(manifest(workloadOf(application)));
  await until('the application', async () => ((await isReady(cluster, appOf(workload))) ? true : undefined), {
    timeoutMs: 180_000,
    intervalMs: 200,
  });
  return { apiVersion: 'v1', kind, name: NAME };
}

async function isReady(cluster: Cluster, app: ObjectRef): Promise<boolean> {
  const { spec, status } = await cluster.require<V1Deployment & V1StatefulSet>(app);
  return status?.readyReplicas === spec?.replicas;
}

/** How long its controller waits for the next pod before it calls a rollout stuck; ten minutes unless this was called. */
export async function setProgressDeadline(cluster: Cluster, seconds: number): Promise<void> {
  await cluster.patch(APP, () => ({ spec: { progressDeadlineSeconds: seconds } }));
}

export async function applicationPods(cluster: Cluster): Promise<V1Pod[]> {
  const pods = await cluster.list<V1Pod>({ apiVersion: 'v1', kind: 'Pod' }, { labels: `app=${NAME}` });
  return pods.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
}

/** What its pods were told at their start. */
export async function told(cluster: Cluster): Promise<string> {
  const logs = (await applicationPods(cluster)).map(async ({ metadata }) => {
    const log = new PassThrough();
    await cluster.logs(metadata?.name ?? '', NAME, log, { follow: false });
    return text(log);
  });
  return (await Promise.all(logs)).join('');
}

const AT_ONCE = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };

function workloadOf({
  kind,
  data,
  by,
  readyIf,
  workload = 'Deployment',
}: LightApplication): Record<string, unknown> {
  const isMap = kind === 'ConfigMap';
  const labels = { app: NAME };
  const readers = {
    envFrom: { envFrom: [isMap ? { configMapRef: { name: NAME } } : { secretRef: { name: NAME } }] },
    env: {
      env: Object.keys(data).map((key) => ({
        name: key,
        valueFrom: isMap ? { configMapKeyRef: { name: NAME, key } } : { secretKeyRef: { name: NAME, key } },
      })),
    },
    file: { volumeMounts: [{ name: 'files', mountPath: '/files' }] },
  };
  return {
    ...{ apiVersion: 'apps/v1', kind: workload, metadata: { name: NAME } },
    spec: {
      ...(workload === 'StatefulSet'
        ? { serviceName: NAME, replicas: 2 }
        : { replicas: 1, strategy: AT_ONCE }),
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: NAME,
              image: 'busybox:1.36',
              imagePullPolicy: 'IfNotPresent',
              command: ['sh', '-c', 'env; cat /files/* 2>/dev/null; exec sleep 3600'],
              ...readers[by],
              ...(readyIf === undefined
                ? {}
                : { readinessProbe: { exec: { command: ['sh', '-c', readyIf] }, periodSeconds: 1 } }),
            },
          ],
          ...(by === 'file'
            ? {
                volumes: [
                  {
                    name: 'files',
                    ...(isMap ? { configMap: { name: NAME } } : { secret: { secretName: NAME } }),
                  },
                ],
              }
            : {}),
        },
      },
    },
  };
}
