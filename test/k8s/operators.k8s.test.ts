/** Source and target by the name of their operator's cluster: Secrets and Services of the documented shapes around real servers. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { until } from '../../src/base/async.ts';
import { manifest, onCluster, openNamespace, type TestNamespace } from '../support/cluster.ts';
import { type ClusterPostgres, startPair } from '../support/cluster-postgres.ts';
import { runTool, TEST_IMAGE } from '../support/cluster-tool.ts';
import { limitedUser } from '../support/limited-user.ts';
import { selfSigned } from '../support/self-signed.ts';

const PATIENCE_MS = 180_000;

onCluster('servers by their operator’s cluster', () => {
  let namespace: TestNamespace;
  let source: ClusterPostgres;
  let target: ClusterPostgres;
  let certificate: string;

  beforeAll(async () => {
    namespace = await openNamespace();
    const tls = await certificateFor(namespace.name);
    certificate = tls.cert;
    [source, target] = await startPair(namespace.cluster, tls);
    await source.query('CREATE TABLE t AS SELECT id FROM generate_series(1, 1000) id');
    await source.query('ALTER TABLE t ADD PRIMARY KEY (id)');
    await cloudnative('shop-15', source);
    await crunchy('shop-16', target);
    await zalando('acid-shop', source);
  });
  afterAll(async () => {
    await source?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  const apply = (object: Record<string, unknown>) => namespace.cluster.apply(manifest(object));
  const secret = (name: string, stringData: Record<string, string>) =>
    apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData });
  const service = (name: string, server: ClusterPostgres) =>
    apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: { 'test-postgres': server.name }, ports: [{ port: 5432, protocol: 'TCP' }] },
    });

  async function cloudnative(
    cluster: string,
    server: ClusterPostgres,
    authority = certificate,
  ): Promise<void> {
    await service(`${cluster}-rw`, server);
    await secret(`${cluster}-superuser`, {
      ...{ username: 'postgres', password: server.password, dbname: '*', port: '5432' },
      ...{ host: `${cluster}-rw`, pgpass: `${cluster}-rw:5432:*:postgres:${server.password}\n` },
    });
    await secret(`${cluster}-ca`, { 'ca.crt': authority, 'ca.key': 'the authority’s own' });
  }

  async function zalando(cluster: string, server: ClusterPostgres): Promise<void> {
    await service(cluster, server);
    await secret(`postgres.${cluster}.credentials.postgresql.acid.zalan.do`, {
      username: 'postgres',
      password: server.password,
    });
  }

  async function crunchy(cluster: string, server: ClusterPostgres): Promise<void> {
    await service(`${cluster}-primary`, server);
    const { name } = namespace;
    await secret(`${cluster}-pguser-postgres`, {
      ...{ user: 'postgres', password: server.password, verifier: 'SCRAM-SHA-256$...', port: '5432' },
      ...{ host: `${cluster}-primary.${name}.svc`, dbname: 'shop' },
    });
    await secret(`${cluster}-cluster-cert`, {
      ...{ 'ca.crt': certificate, 'tls.crt': certificate, 'tls.key': 'the server’s own' },
    });
  }

  const run = async (config: unknown, command: string) => {
    const text = stringify(config);
    const where = ['-n', namespace.name, '--run', command];
    const applied = await runTool(text, ['k8s', 'apply', ...where, '--image', TEST_IMAGE]);
    expect(applied.exitCode, applied.stderr).toBe(0);
    return text;
  };
  const logs = (config: string, command: string) =>
    runTool(config, ['k8s', 'logs', '-n', namespace.name, '--run', command]);

  test('CloudNativePG to Crunchy: certificates are checked, and the target follows the source', async () => {
    await run(
      {
        migration: 'cnpg-to-crunchy',
        source: { kubernetes: { operator: 'cloudnative-pg', cluster: 'shop-15' }, database: 'shop' },
        target: { kubernetes: { operator: 'crunchy', cluster: 'shop-16', namespace: namespace.name } },
        traffic: { driver: 'none' },
      },
      'sync',
    );
    await source.query('INSERT INTO t VALUES (5000)');
    await until(
      'the rows on the target',
      async () => {
        const rows = await target.query('SELECT 1 FROM t WHERE id IN (1000, 5000)').catch(() => []);
        return rows.length === 2 ? true : undefined;
      },
      { timeoutMs: PATIENCE_MS, intervalMs: 300 },
    );
    const sessions = await source.query<{ ssl: boolean }>(
      `SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL AND application_name LIKE 'pgglide%'`,
    );
    expect(sessions).toEqual([{ ssl: true }]);
  });

  test('Zalando as the source: encrypted, and it is said that nobody vouches for the server', async () => {
    const config = await run(
      {
        migration: 'zalando-check',
        source: { kubernetes: { operator: 'zalando', cluster: 'acid-shop' }, database: 'shop' },
        target: { kubernetes: { operator: 'crunchy', cluster: 'shop-16' } },
        traffic: { driver: 'none' },
      },
      'check',
    );
    const { stdout, exitCode } = await logs(config, 'check');
    expect(stdout).toContain('TLS without a check of the server');
    // The servers answered; the target is no longer empty, which is check's to say.
    expect(stdout).toMatch(/Source +acid-shop:5432\/shop +TLS require, as postgres/);
    expect([0, 3]).toContain(exitCode);
  });

  test('outside of the cluster the Secret is read through the API, and who may not is told', async () => {
    const text = stringify({
      kubernetes: { namespace: namespace.name },
      source: { kubernetes: { operator: 'crunchy', cluster: 'shop-16' }, sslmode: 'require' },
      target: 'postgresql://postgres@pg16/shop',
    });
    const shown = await runTool(text, ['config', '-o', 'json']);
    expect(shown.exitCode, shown.stderr).toBe(0);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      source: { host: 'shop-16-primary', user: 'postgres', database: 'shop', password: '***' },
    });
    await using nobody = await limitedUser(namespace.cluster, 'nobody', []);
    const refused = await runTool(text, ['config'], { KUBECONFIG: nobody.kubeconfig });
    expect([refused.exitCode, refused.stderr]).toEqual([3, expect.stringContaining('get secrets')]);
    expect(refused.stderr).not.toContain(target.password);
  });

  test('a certificate of another authority is refused', async () => {
    const other = await certificateFor('elsewhere');
    await cloudnative('shop-15-other', source, other.cert);
    const config = await run(
      {
        migration: 'wrong-authority',
        source: { kubernetes: { operator: 'cloudnative-pg', cluster: 'shop-15-other' }, database: 'shop' },
        target: { kubernetes: { operator: 'crunchy', cluster: 'shop-16' } },
        traffic: { driver: 'none' },
      },
      'cutover',
    );
    const { stdout, exitCode } = await logs(config, 'cutover');
    expect(exitCode, stdout).toBe(4);
  });
});

/** For all names that the operators' Services have here. */
async function certificateFor(namespace: string): Promise<{ cert: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-tls-'));
  const services = ['shop-15-rw', 'shop-15-other-rw', 'shop-16-primary', 'acid-shop'];
  const names = services.flatMap((name) => [name, `${name}.${namespace}.svc`]);
  try {
    const { certFile, keyFile } = await selfSigned(folder, 'server', names);
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
