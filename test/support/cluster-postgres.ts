/** PostgreSQL servers as pods of a test's namespace, and sessions on them through the API server. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { V1Pod } from '@kubernetes/client-node';
import pg from 'pg';
import { until } from '../../src/base/async.ts';
import type { Cluster } from '../../src/kubernetes/cluster.ts';
import { manifest } from './cluster.ts';

const PORT = 5432;
const START_TIMEOUT_MS = 180_000;

export interface ClusterPostgresOptions {
  readonly name: string;
  readonly major: 15 | 16;
  readonly database: string;
  /** PEM, to speak TLS with. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface ClusterPostgres extends AsyncDisposable {
  readonly name: string;
  readonly password: string;
  /** Of this machine; it leads to the server. */
  readonly port: number;
  /** In its own database, or in another one. */
  query<T>(text: string, database?: string): Promise<T[]>;
}

/** A pod, its Service and its login Secret, all of the same name; ready for sessions. */
export async function startPostgres(
  cluster: Cluster,
  options: ClusterPostgresOptions,
): Promise<ClusterPostgres> {
  const { name, database } = options;
  const password = randomBytes(12).toString('hex');
  for (const object of objectsOf(options, password)) await cluster.apply(manifest(object));
  const tunnel = await openTunnel(() => cluster.connect(name, PORT));
  const query = async <T>(text: string, other = database): Promise<T[]> => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: tunnel.port,
      user: 'postgres',
      password,
      database: other,
    });
    await client.connect();
    try {
      return (await client.query(text)).rows as T[];
    } finally {
      await client.end();
    }
  };
  await until(`server ${name}`, async () => ((await isReady(cluster, name)) ? true : undefined), {
    timeoutMs: START_TIMEOUT_MS,
    intervalMs: 250,
  });
  return { name, password, port: tunnel.port, query, [Symbol.asyncDispose]: tunnel.close };
}

/** An old and a new one, side by side. */
export const startPair = (
  cluster: Cluster,
  tls?: ClusterPostgresOptions['tls'],
): Promise<[ClusterPostgres, ClusterPostgres]> =>
  Promise.all([
    startPostgres(cluster, { name: 'pg15', major: 15, database: 'shop', ...(tls ? { tls } : {}) }),
    startPostgres(cluster, { name: 'pg16', major: 16, database: 'shop', ...(tls ? { tls } : {}) }),
  ]);

/** A port of this machine that leads to the pod's. */
async function openTunnel(connect: () => Promise<Duplex>): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((socket) => {
    // A session that breaks off is the test's to see, at its own end.
    connect().then(
      (pod) => void pipeline(socket, pod, socket).catch(() => socket.destroy()),
      () => socket.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.close();
    await once(server, 'close');
  };
  return { port: (server.address() as AddressInfo).port, close };
}

async function isReady(cluster: Cluster, name: string): Promise<boolean> {
  const pod = await cluster.read<V1Pod>({ apiVersion: 'v1', kind: 'Pod', name });
  return pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

function objectsOf(
  { name, major, database, tls }: ClusterPostgresOptions,
  password: string,
): Record<string, unknown>[] {
  const labels = { 'test-postgres': name };
  const env = [
    { name: 'POSTGRES_PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } },
    { name: 'POSTGRES_DB', value: database },
  ];
  const settings = ['wal_level=logical', 'fsync=off', 'max_wal_senders=20', 'max_replication_slots=20'];
  // The server wants its key for itself alone: root's, and the group's to read.
  if (tls !== undefined) settings.push('ssl=on', 'ssl_cert_file=/tls/tls.crt', 'ssl_key_file=/tls/tls.key');
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      stringData: { password, ...(tls ? { 'tls.crt': tls.cert, 'tls.key': tls.key } : {}) },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: labels, ports: [{ port: PORT, protocol: 'TCP' }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels },
      spec: {
        securityContext: { fsGroup: 999 },
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'postgres',
            image: `postgres:${major}`,
            imagePullPolicy: 'IfNotPresent',
            args: settings.flatMap((setting) => ['-c', setting]),
            env,
            ports: [{ containerPort: PORT, protocol: 'TCP' }],
            readinessProbe: {
              exec: { command: ['pg_isready', '-h', '127.0.0.1', '-U', 'postgres', '-d', database] },
              periodSeconds: 1,
              // A busy machine is slow to answer, which is no reason to take the server out of its Service.
              timeoutSeconds: 10,
              failureThreshold: 30,
            },
            volumeMounts: [
              { name: 'data', mountPath: '/var/lib/postgresql/data' },
              ...(tls ? [{ name: 'tls', mountPath: '/tls' }] : []),
            ],
          },
        ],
        volumes: [
          { name: 'data', emptyDir: {} },
          ...(tls ? [{ name: 'tls', secret: { secretName: name, defaultMode: 0o640 } }] : []),
        ],
      },
    },
  ];
}
