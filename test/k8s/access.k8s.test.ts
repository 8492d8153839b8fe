/** The service account can do what it needs and nothing else; what is missing or wrong is named. */

import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KubeConfig, type V1Job } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { kubectl } from '../../lab/labctl/k8s/kubectl.ts';
import { accessRules, jobRights } from '../../src/kubernetes/manifests/render-access.ts';
import { manifest, onCluster, openNamespace, type TestNamespace } from '../support/cluster.ts';
import { runTool } from '../support/cluster-tool.ts';
import { limitedUser } from '../support/limited-user.ts';

const MIGRATION = 'access-test';
const NAME = 'pgglide-access-test';
const KUSTOMIZE_BASE = fileURLToPath(new URL('../../deploy/kustomize/base', import.meta.url));
/** As KUBECONFIG has it; the overlay names its own namespace. */
const KUBECTL = { context: '', kubeconfig: undefined, namespace: '' };
const CONFIG = stringify({
  migration: MIGRATION,
  source: 'postgresql://postgres@pg15:5432/shop',
  target: 'postgresql://postgres@pg16:5432/shop',
});

onCluster('rights in the cluster', () => {
  let namespace: TestNamespace;
  const pgglide = (argv: readonly string[], env = {}) => runTool(CONFIG, ['k8s', ...argv], env);

  beforeAll(async () => {
    namespace = await openNamespace();
  });
  afterAll(() => namespace?.[Symbol.asyncDispose]());

  test('every manifest is taken by the API server, and applying twice changes nothing', async () => {
    const { stdout } = await pgglide(['render', '-n', namespace.name, '--kubernetes', '1.20', '-o', 'json']);
    const objects = (JSON.parse(stdout) as { kind: string }[]).filter(({ kind }) => kind !== 'Job');
    expect(objects.length).toBeGreaterThan(3);
    for (const object of objects) {
      const first = await namespace.cluster.apply(manifest(object));
      const second = await namespace.cluster.apply(manifest(object));
      // Older clusters write an account's token into it meanwhile.
      if (object.kind === 'ServiceAccount') continue;
      expect(second.metadata?.resourceVersion, object.kind).toBe(first.metadata?.resourceVersion);
    }
  });

  test('rbac: the cluster grants each right that is listed', async () => {
    const { exitCode, stdout, stderr } = await pgglide(['rbac', '-n', namespace.name]);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/✔ +create +events/);
    expect(stdout).toMatch(new RegExp(`✔ +patch +leases.coordination.k8s.io/${NAME}`));
  });

  test('and nothing else', async () => {
    const user = `system:serviceaccount:${namespace.name}:${NAME}`;
    const others = [
      ...['get', 'list', 'watch'].map((verb) => ({ verb, group: '', resource: 'secrets' })),
      ...['get', 'patch', 'delete'].map((verb) => ({ verb, group: '', resource: 'configmaps' })),
      ...['create', 'list', 'delete'].map((verb) => ({ verb, group: '', resource: 'pods' })),
      { verb: 'create', group: '', resource: 'pods/exec' },
      { verb: 'list', group: '', resource: 'events' },
      ...['get', 'create', 'patch', 'delete'].map((verb) => ({ verb, group: 'batch', resource: 'jobs' })),
      { verb: 'patch', group: 'apps', resource: 'deployments' },
      { verb: 'create', group: 'rbac.authorization.k8s.io', resource: 'rolebindings' },
      { verb: 'patch', group: 'coordination.k8s.io', resource: 'leases', names: ['another'] },
    ];
    const allowed = await Promise.all(others.map((right) => namespace.cluster.may(right, { user })));
    expect(others.filter((_, index) => allowed[index])).toEqual([]);
    const elsewhere = await namespace.cluster.may(
      { verb: 'create', group: '', resource: 'events' },
      { user, namespace: 'default' },
    );
    expect(elsewhere).toBe(false);
  });

  test('kubectl applies the kustomize base, with the namespace and the image that an overlay says', async () => {
    const overlay = await mkdtemp(join(tmpdir(), 'pgglide-overlay-'));
    try {
      const kustomization = {
        ...{ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' },
        resources: [relative(await realpath(overlay), KUSTOMIZE_BASE)],
        namespace: namespace.name,
        images: [{ name: 'pgglide', newName: 'registry.example/pgglide', newTag: '7' }],
      };
      await writeFile(join(overlay, 'kustomization.yaml'), stringify(kustomization));
      // An older kubectl refuses fields that are newer than it is; the cluster leaves them out.
      await kubectl(KUBECTL, ['apply', '--validate=false', '-k', overlay]);
    } finally {
      await rm(overlay, { recursive: true, force: true });
    }
    const { cluster } = namespace;
    const job = await cluster.require<V1Job>({
      apiVersion: 'batch/v1',
      kind: 'Job',
      name: 'pgglide-shop-sync',
    });
    expect(job.spec?.template.spec?.containers.map(({ image }) => image)).toEqual([
      'registry.example/pgglide:7',
    ]);
    const account = `system:serviceaccount:${namespace.name}:${job.spec?.template.spec?.serviceAccountName}`;
    const mayTell = { verb: 'create', group: '', resource: 'events' };
    expect(await cluster.may(mayTell, { user: account })).toBe(true);
  });

  test('a client certificate in files beside the kubeconfig lets us in', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-certificate-'));
    try {
      const kubeconfig = await certificateInFiles(folder);
      if (kubeconfig === undefined) return context.skip('KUBECONFIG has no client certificate');
      const { exitCode, stdout, stderr } = await pgglide(['rbac', '-n', namespace.name], {
        KUBECONFIG: kubeconfig,
      });
      expect(exitCode, stderr).toBe(0);
      expect(stdout).toMatch(/✔ +create +events/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('rbac names the right that was taken away', async () => {
    const rights = jobRights(MIGRATION).filter(({ resource }) => resource !== 'events');
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: NAME } };
    await namespace.cluster.apply(manifest({ ...role, rules: accessRules(rights) }));
    const { exitCode, stderr } = await pgglide(['rbac', '-n', namespace.name]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('cluster_forbidden');
    expect(stderr).toContain('create events');
    expect(stderr).not.toContain('leases');
  });

  test('who may not apply is told which verb on which resource is missing', async () => {
    await using user = await limitedUser(namespace.cluster, 'reader', [
      { verb: 'get', group: 'batch', resource: 'jobs' },
    ]);
    const { exitCode, stderr } = await pgglide(['apply', '--kubeconfig', user.kubeconfig]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('patch serviceaccounts');
  });
});

/** KUBECONFIG with its user's certificate and key in files of their own, named from beside it; undefined: it has none. */
async function certificateInFiles(folder: string): Promise<string | undefined> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const { certData, keyData } = config.getCurrentUser() ?? {};
  const { server, caData } = config.getCurrentCluster() ?? {};
  if (certData === undefined || keyData === undefined || caData === undefined) return undefined;
  const files = { 'client.crt': certData, 'client.key': keyData, 'ca.crt': caData };
  for (const [name, data] of Object.entries(files)) {
    await writeFile(join(folder, name), Buffer.from(data, 'base64'), { mode: 0o600 });
  }
  const path = join(folder, 'config');
  await writeFile(
    path,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server, 'certificate-authority': 'ca.crt' } }],
      users: [{ name: 'somebody', user: { 'client-certificate': 'client.crt', 'client-key': 'client.key' } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'somebody' } }],
      'current-context': 'test',
    }),
  );
  return path;
}

onCluster('a cluster that is not what was meant', () => {
  const pgglide = (...argv: string[]) => runTool(CONFIG, ['k8s', ...argv]);

  test('no such context', async () => {
    const { exitCode, stderr } = await pgglide('apply', '--context', 'no-such-context');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('no-such-context')]);
  });

  test('no such namespace: nothing is left behind', async () => {
    const { exitCode, stderr } = await pgglide('apply', '-n', 'pgglide-test-not-there');
    expect(exitCode).toBe(3);
    expect(stderr).toContain('namespace_missing');
    expect(stderr).toContain('kubectl create namespace pgglide-test-not-there');
  });

  test('no such Job to follow', async () => {
    const { exitCode, stderr } = await pgglide('logs', '-n', 'default');
    expect([exitCode, stderr]).toEqual([3, expect.stringContaining('job_missing')]);
  });
});
