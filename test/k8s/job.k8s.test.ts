/** The tool as a Job: it resumes after its pod is deleted, shows its phases, and lets commands in. */

import { execFile } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CoreV1Event, V1Job, V1Lease, V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import { onCluster, openNamespace, type TestNamespace } from '../support/cluster.ts';
import { type ClusterPostgres, startPair } from '../support/cluster-postgres.ts';
import { runTool, TEST_IMAGE } from '../support/cluster-tool.ts';

const JOB = 'pgglide-job-test-sync';
const TABLES = 4;
const PATIENCE_MS = 180_000;
const PLUGIN = fileURLToPath(new URL('../../bin/kubectl-pgglide.js', import.meta.url));

onCluster('the tool as a Job', () => {
  let namespace: TestNamespace;
  let source: ClusterPostgres;
  let target: ClusterPostgres;
  let config: string;

  beforeAll(async () => {
    namespace = await openNamespace();
    [source, target] = await startPair(namespace.cluster);
    for (let table = 1; table <= TABLES; table++) {
      await source.query(
        `CREATE TABLE t${table} AS SELECT id, repeat(md5(id::text), 8) AS text FROM generate_series(1, 36000) id`,
      );
      await source.query(`ALTER TABLE t${table} ADD PRIMARY KEY (id)`);
    }
    // Smaller tables would be copied several at once; at this rate the copy lasts long enough to be met in its middle.
    config = [
      'migration: job-test',
      ...['source: pg15', 'target: pg16'].map((line) => {
        const [side, host] = line.split(': ');
        return `${side}: { uri: "postgresql://postgres@${host}:5432/shop", passwordFrom: { secretKeyRef: { name: ${host} } } }`;
      }),
      'copy: { jobs: 1, rateLimit: 4MB/s }',
      'traffic: { driver: none }',
    ].join('\n');
  });
  afterAll(async () => {
    await source?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  const pgglide = (...argv: string[]) => runTool(config, [...argv, '-n', namespace.name]);

  /** Through kubectl, as `kubectl pgglide ...` does it. */
  async function plugin(...argv: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
    const path = `${process.env.PATH}:/var/cache/testk8s/bin`;
    const options = { env: { ...process.env, PATH: path, NO_COLOR: '1' } };
    return promisify(execFile)(process.execPath, [PLUGIN, '-n', namespace.name, ...argv], options).then(
      (said) => ({ ...said, code: 0 }),
      (error: { stdout: string; stderr: string; code: number }) => error,
    );
  }

  const pods = (job = JOB) =>
    namespace.cluster.list<V1Pod>({ apiVersion: 'v1', kind: 'Pod' }, { labels: `job-name=${job}` });

  /** The pod that runs now, once there is one. */
  const runningPod = (other?: string): Promise<string> =>
    until(
      'a running pod',
      async () =>
        (await pods()).find(
          ({ metadata, status }) =>
            status?.phase === 'Running' &&
            metadata?.deletionTimestamp === undefined &&
            metadata?.name !== other,
        )?.metadata?.name,
      { timeoutMs: PATIENCE_MS, intervalMs: 200 },
    );

  /** It has synced again, and stays. */
  const isFollowing = (pod: string) =>
    waitFor('a pod that follows', async () => {
      const log = new PassThrough().setEncoding('utf8');
      await namespace.cluster.logs(pod, 'pgglide', log, {});
      const said = (await log.toArray()).join('');
      return said.includes('job-test: following') ? true : undefined;
    });

  const deletePod = (name: string) => namespace.cluster.remove({ apiVersion: 'v1', kind: 'Pod', name });

  const phase = async (): Promise<string | undefined> => {
    const [row] = await target.query<{ phase: string }>('SELECT phase FROM pgglide.migration');
    return row?.phase;
  };

  /** When each whole table was copied, and in which lane. */
  const copied = () =>
    target
      .query<{ part: string }>(
        `SELECT format('%s %s %s', t.table_name, t.lane, max(p.at)) AS part
         FROM pgglide.copy_table t JOIN pgglide.copied_part p USING (migration, schema_name, table_name)
         GROUP BY t.table_name, t.lane, t.parts HAVING count(*) = t.parts ORDER BY 1`,
      )
      .then((rows) => rows.map(({ part }) => part))
      .catch(() => []);

  async function waitFor<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
    return until(what, probe, { timeoutMs: PATIENCE_MS, intervalMs: 300 });
  }

  test('copies, loses its pod in the middle, and copies no table twice', async () => {
    const applied = await pgglide('k8s', 'apply', '--image', TEST_IMAGE);
    expect(applied.stderr + applied.stdout).toContain(`Job ${namespace.name}/${JOB} runs`);
    const first = await runningPod();
    const before = await waitFor('the middle of the copy', async () => {
      const done = await copied();
      return done.length > 0 && done.length < TABLES ? done : undefined;
    });
    await deletePod(first);
    await waitFor('following', async () => ((await phase()) === 'following' ? true : undefined));
    const after = await copied();
    expect(after).toHaveLength(TABLES);
    expect(after).toEqual(expect.arrayContaining(before));
    expect(await runningPod()).not.toBe(first);
  });

  test('loses its pod while the target follows, and stays with it', async () => {
    const old = await runningPod();
    await deletePod(old);
    await isFollowing(await runningPod(old));
    await source.query(`INSERT INTO t1 VALUES (100001, 'while the pod is new')`);
    await waitFor('the row on the target', async () => {
      const rows = await target.query('SELECT 1 FROM t1 WHERE id = 100001');
      return rows.length === 1 ? true : undefined;
    });
    const job = await namespace.cluster.require<V1Job>({ apiVersion: 'batch/v1', kind: 'Job', name: JOB });
    expect([job.status?.active, job.status?.succeeded]).toEqual([1, undefined]);
  });

  test('refuses a second Job of the same command', async () => {
    expect(await pgglide('k8s', 'apply', '--image', TEST_IMAGE)).toMatchObject({
      exitCode: 7,
      stderr: expect.stringContaining('job_runs'),
    });
  });

  test('shows its phases as Events of the Job, and who works as a Lease', async () => {
    const reasons = await waitFor('the Events', async () => {
      const events = await namespace.cluster.list<CoreV1Event>(
        { apiVersion: 'v1', kind: 'Event' },
        { fields: `involvedObject.kind=Job,involvedObject.name=${JOB}` },
      );
      const ours = events
        .filter(({ source: from }) => from?.component === 'pgglide')
        .map((event) => event.reason);
      return ours.includes('Following') ? ours : undefined;
    });
    expect(reasons).toEqual(expect.arrayContaining(['Syncing', 'Copied', 'Following']));
    const lease = await namespace.cluster.require<V1Lease>({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      name: 'pgglide-job-test',
    });
    expect(lease.spec?.holderIdentity).toMatch(new RegExp(`^${JOB}-`));
  });

  test('kubectl pgglide runs commands in the pod, with their output and exit code', async () => {
    const verified = await plugin('verify', '-o', 'json');
    expect(verified.code, verified.stderr).toBe(0);
    expect(JSON.parse(verified.stdout)).toMatchObject({ summary: { equal: true } });
    // Nobody can be asked: the tool's own refusal comes through.
    expect(await plugin('abort')).toMatchObject({
      code: 7,
      stderr: expect.stringContaining('confirmation_needed'),
    });
  });

  test('a command as a Job of its own; logs tells its log and its exit code', async () => {
    await pgglide('k8s', 'apply', '--run', 'verify', '--image', TEST_IMAGE);
    const logs = await pgglide('k8s', 'logs', '--run', 'verify');
    expect(logs.exitCode, logs.stdout + logs.stderr).toBe(0);
    expect(logs.stdout).toContain('equal');
    const [before] = await pods('pgglide-job-test-verify');
    const ref = { apiVersion: 'v1', kind: 'Pod', name: before?.metadata?.name ?? '' };
    const keep = (finalizers: string[] | null) =>
      namespace.cluster.patch(ref, () => ({ metadata: { finalizers } }));
    // Its pod may outlive it for a while.
    await keep(['pgglide.io/test']);
    try {
      // It has ended: the next one takes its place.
      expect((await pgglide('k8s', 'apply', '--run', 'verify', '--image', TEST_IMAGE)).exitCode).toBe(0);
      const next = await pgglide('k8s', 'logs', '--run', 'verify');
      expect(next.exitCode, next.stdout + next.stderr).toBe(0);
      expect(next.stdout).toContain('equal');
      expect(next.stderr).not.toContain(ref.name);
    } finally {
      await keep(null);
    }
  });

  test('a Job whose image is nowhere: logs says so and ends, and the next apply replaces it', async () => {
    await pgglide('k8s', 'apply', '--run', 'check', '--image', 'pgglide:nowhere');
    const stuck = await pgglide('k8s', 'logs', '--run', 'check');
    expect(stuck.exitCode, stuck.stdout).toBe(3);
    expect(stuck.stderr).toContain('job_stuck');
    expect(stuck.stderr).toContain('pgglide:nowhere');
    const again = await pgglide('k8s', 'apply', '--run', 'check', '--image', TEST_IMAGE);
    expect(again.exitCode, again.stderr).toBe(0);
    const logs = await pgglide('k8s', 'logs', '--run', 'check');
    expect(logs.stdout).toContain('PGG');
  });

  test('the Job ends when the migration is aborted', async () => {
    const aborted = await plugin('abort', '--yes');
    expect(aborted.code, aborted.stderr).toBe(0);
    const logs = await pgglide('k8s', 'logs');
    expect(logs.exitCode, logs.stderr).toBe(0);
    const slots = await source.query(`SELECT slot_name FROM pg_replication_slots`);
    expect(slots).toEqual([]);
  });
});
