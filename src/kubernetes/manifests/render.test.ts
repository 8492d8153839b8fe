import type {
  V1ConfigMap,
  V1Deployment,
  V1Job,
  V1Role,
  V1RoleBinding,
  V1Service,
  V1ServiceAccount,
} from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { checkConfig } from '../../config/check-config.ts';
import { FAMILIES } from '../../domain/error-codes.ts';
import { clusterFeatures } from './cluster-features.ts';
import { configMapText } from './config-text.ts';
import { objectName } from './own-names.ts';
import { type Manifest, renderManifests } from './render.ts';
import { jobRights } from './render-access.ts';
import { dashboardName } from './render-dashboard.ts';
import { JOB_COMMANDS, type JobCommand } from './render-job.ts';
import { toYaml } from './to-yaml.ts';

const SECRET = 'geheim-7f3a';
const SERVERS = {
  source: {
    uri: 'postgresql://pgglide@pg15:5432/shop',
    passwordFrom: { secretKeyRef: { name: 'pg15-login' } },
  },
  target: { kubernetes: { operator: 'cloudnative-pg', cluster: 'pg16' }, database: 'shop' },
};

function render(
  content: Record<string, unknown> = {},
  {
    version = '1.31',
    command = 'sync',
    withDashboard = false,
  }: { version?: string; command?: JobCommand; withDashboard?: boolean } = {},
): Manifest[] {
  const whole = { migration: 'Shop 15 → 16', ...SERVERS, ...content };
  return renderManifests({
    migration: whole.migration,
    namespace: 'shop',
    image: 'pgglide:1',
    command,
    features: clusterFeatures(version),
    config: checkConfig(whole, () => 'test'),
    configText: configMapText(whole),
    rights: jobRights(whole.migration),
    withDashboard,
  });
}

const one = <T>(objects: readonly Manifest[], kind: string): T =>
  objects.find((object) => object.kind === kind) as T;
const podOf = (objects: readonly Manifest[]) => one<V1Job>(objects, 'Job').spec?.template.spec;

describe('names', () => {
  test.each([
    ['shop-15-to-16', 'pgglide-shop-15-to-16'],
    ['Shop 15 → 16', /^pgglide-shop-15-16-[0-9a-f]{8}$/],
    ['__', /^pgglide-[0-9a-f]{8}$/],
    ['x'.repeat(100), /^pgglide-x{28}-[0-9a-f]{8}$/],
  ])('%s', (migration, name) => {
    const pattern = typeof name === 'string' ? new RegExp(`^${name}$`) : name;
    expect(objectName(migration)).toMatch(pattern);
    expect(objectName(migration)).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
  });

  test('of two migrations are never the same', () => {
    const alike = [
      ['shop-a', 'shop_a'],
      ['shop', 'Shop'],
      ['лавка', 'склад'],
      ['customer-portal-production-eu-west-1-orders', 'customer-portal-production-eu-west-1-invoices'],
    ];
    for (const [one = '', other = ''] of alike) expect(objectName(one)).not.toBe(objectName(other));
  });
});

describe('the manifests', () => {
  test('are complete, in the order in which they are applied, all in the namespace', () => {
    const objects = render();
    const kinds = ['ServiceAccount', 'Role', 'RoleBinding', 'ConfigMap', 'Job'];
    expect(objects.map(({ kind }) => kind)).toEqual(kinds);
    expect(new Set(objects.map(({ metadata }) => metadata.namespace))).toEqual(new Set(['shop']));
  });

  test('come back from YAML as they were', () => {
    const objects = render();
    expect(parseAllDocuments(toYaml(objects)).map((document) => document.toJS())).toEqual(objects);
  });

  test('the ConfigMap says nothing of the kubeconfig here, and keeps the rest', () => {
    const kubernetes = { kubeconfig: '/home/me/.kube/config', context: 'prod', namespace: 'shop' };
    const text = one<V1ConfigMap>(render({ kubernetes }), 'ConfigMap').data?.['pgglide.yaml'] ?? '';
    expect(text).not.toMatch(/kubeconfig|prod/);
    expect(text).toContain('namespace: shop');
  });
});

test('the proxies run the Job’s image, unless the configuration names theirs', () => {
  const traffic = { driver: 'kubernetes', kubernetes: { configMap: 'shop' } };
  expect(parse(configMapText({ traffic }, 'pgglide:1')).traffic.kubernetes.image).toBe('pgglide:1');
  const named = { ...traffic, kubernetes: { ...traffic.kubernetes, image: 'other:2' } };
  expect(parse(configMapText({ traffic: named }, 'pgglide:1')).traffic.kubernetes.image).toBe('other:2');
});

describe('Secrets', () => {
  test('are mounted, and of an authority only its certificate', () => {
    const volumes = podOf(render())?.volumes?.flatMap(({ secret }) => (secret ? [secret] : []));
    expect(volumes).toEqual([
      { secretName: 'pg15-login', defaultMode: 0o440, items: [{ key: 'password', path: 'password' }] },
      { secretName: 'pg16-superuser', defaultMode: 0o440 },
      {
        secretName: 'pg16-ca',
        defaultMode: 0o440,
        items: [{ key: 'ca.crt', path: 'ca.crt' }],
        optional: true,
      },
    ]);
  });

  test('of another namespace are read through the API, each by its name', () => {
    const cluster = { operator: 'zalando', cluster: 'acid', namespace: 'databases' };
    const objects = render({ source: { kubernetes: cluster, database: 'shop' } });
    const roles = objects.filter(({ kind }) => kind === 'Role') as V1Role[];
    const far = roles.find(({ metadata }) => metadata?.namespace === 'databases');
    expect(far?.rules).toEqual([
      {
        apiGroups: [''],
        resources: ['secrets'],
        verbs: ['get'],
        resourceNames: ['postgres.acid.credentials.postgresql.acid.zalan.do'],
      },
    ]);
    expect(JSON.stringify(podOf(objects)?.volumes)).not.toContain('acid');
  });

  test.each([
    ['source.password', { source: { uri: 'postgresql://pg15/shop', password: SECRET } }],
    ['source.uri', { source: { uri: `postgresql://me:${SECRET}@pg15/shop` } }],
    ['target.conninfo', { target: { conninfo: `host=pg16 password=${SECRET}` } }],
    [
      'target.seenBySource',
      { target: { uri: 'postgresql://pg16/shop', seenBySource: `password=${SECRET}` } },
    ],
    ['traffic.kubernetes.target', { traffic: { kubernetes: { target: `host=pg16 password=${SECRET}` } } }],
    ['traffic.pgbouncer.consoles', { traffic: { pgbouncer: { consoles: [`host=b password=${SECRET}`] } } }],
  ])('%s: a password is refused, and not repeated', (key, content) => {
    const failure = (() => {
      try {
        return render(content);
      } catch (error) {
        return error as Error;
      }
    })();
    expect(failure).toMatchObject({ code: 'password_in_manifest', exitCode: 2 });
    expect((failure as Error).message).toContain(key);
    expect(JSON.stringify(failure) + String(failure)).not.toContain(SECRET);
  });
});

describe('the Job', () => {
  test('runs as nobody in particular, and writes only to /tmp', () => {
    const pod = podOf(render());
    expect(pod?.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(pod?.containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    const writable = pod?.containers[0]?.volumeMounts?.filter(({ readOnly }) => !readOnly);
    expect(writable).toEqual([{ name: 'tmp', mountPath: '/tmp' }]);
  });

  test('every exit code of the manual is either retried, final or ignored as the manual says', () => {
    const rules = one<V1Job>(render(), 'Job').spec?.podFailurePolicy?.rules ?? [];
    const verdict = (code: number) =>
      rules.find(({ onExitCodes }) => onExitCodes?.values.includes(code))?.action ?? 'Count';
    for (const { exitCode, job } of Object.values(FAMILIES)) {
      const wanted = { fail: 'FailJob', ignore: 'Ignore', retry: 'Count', '-': 'Count' }[job];
      expect([exitCode, verdict(exitCode)]).toEqual([exitCode, exitCode === 10 ? 'Ignore' : wanted]);
    }
  });

  test.each(JOB_COMMANDS)('%s on 1.20: no field that it does not know, and an end to retries', (command) => {
    const spec = one<V1Job>(render({}, { version: 'v1.20.2', command }), 'Job').spec;
    expect(spec).not.toHaveProperty('podFailurePolicy');
    // Who switches traffic shall not try again by itself after a failure that was counted.
    expect(spec?.backoffLimit).toBe(command === 'sync' ? 6 : 0);
  });
});

describe('the dashboard', () => {
  const NAME = dashboardName('Shop 15 → 16');
  const dashboard = (content: Record<string, unknown> = {}) => render(content, { withDashboard: true });
  const accountOf = (objects: readonly Manifest[]) =>
    objects.find(({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === NAME);
  const podOfPage = (objects: readonly Manifest[]) => one<V1Deployment>(objects, 'Deployment').spec?.template;

  test('comes after all else, and only when it is wanted', () => {
    const kinds = dashboard().map(({ kind }) => kind);
    expect(kinds.slice(-4)).toEqual(['Job', 'ServiceAccount', 'Deployment', 'Service']);
    expect(render().map(({ kind }) => kind)).not.toContain('Deployment');
  });

  test('its Service finds its pods, and the probes the port', () => {
    const objects = dashboard();
    const service = one<V1Service>(objects, 'Service');
    const template = podOfPage(objects);
    expect(template?.metadata?.labels).toMatchObject(service.spec?.selector ?? { none: '' });
    const [container] = template?.spec?.containers ?? [];
    const port = service.spec?.ports?.[0];
    expect(container?.ports).toEqual([
      { name: port?.targetPort, containerPort: port?.port, protocol: 'TCP' },
    ]);
    expect(container?.args).toContain(`--listen=0.0.0.0:${port?.port}`);
    expect(container?.readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'http' });
    expect(container?.livenessProbe?.httpGet).toEqual({ path: '/healthz', port: 'http' });
  });

  test('its token is a Secret’s, mounted where it reads it', () => {
    const spec = podOfPage(dashboard())?.spec;
    const volume = spec?.volumes?.find(({ secret }) => secret?.secretName === NAME);
    expect(volume?.secret).toMatchObject({ items: [{ key: 'token', path: 'token' }] });
    const mount = spec?.containers[0]?.volumeMounts?.find(({ name }) => name === volume?.name);
    expect(spec?.containers[0]?.args).toContain(`--token-file=${mount?.mountPath}/token`);
  });

  test('may do nothing in the cluster, not even say who it is', () => {
    const objects = dashboard();
    expect(accountOf(objects)).toMatchObject({ automountServiceAccountToken: false });
    const bindings = objects.filter(({ kind }) => kind === 'RoleBinding') as V1RoleBinding[];
    expect(JSON.stringify(bindings)).not.toContain(NAME);
    expect(podOfPage(objects)?.spec?.serviceAccountName).toBe(NAME);
    expect(podOfPage(objects)?.spec?.containers[0]?.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
    });
  });

  test('reads Secrets of another namespace where the Job does', () => {
    const cluster = { operator: 'zalando', cluster: 'acid', namespace: 'databases' };
    const objects = dashboard({ source: { kubernetes: cluster, database: 'shop' } });
    expect(accountOf(objects) as V1ServiceAccount).toMatchObject({ automountServiceAccountToken: true });
    const bindings = objects.filter(({ kind }) => kind === 'RoleBinding') as V1RoleBinding[];
    const far = bindings.find(({ metadata }) => metadata?.namespace === 'databases');
    expect(far?.subjects?.map(({ name }) => name)).toEqual([objectName('Shop 15 → 16'), NAME]);
    const near = bindings.find(({ metadata }) => metadata?.namespace === 'shop');
    expect(near?.subjects?.map(({ name }) => name)).toEqual([objectName('Shop 15 → 16')]);
  });

  test('does not ask proxies that only the API server leads to', () => {
    const args = (content: Record<string, unknown>) =>
      podOfPage(dashboard(content))?.spec?.containers[0]?.args;
    const traffic = { driver: 'kubernetes', kubernetes: { configMap: 'shop' } };
    expect(args({ traffic })).toContain('--without-traffic');
    expect(args({})).not.toContain('--without-traffic');
  });
});

test.each(['1.19', '2.0', 'latest', ''])('"%s" is no version of Kubernetes that we know', (version) => {
  expect(() => clusterFeatures(version)).toThrow(expect.objectContaining({ code: 'bad_usage' }));
});
