import type { V1ConfigMap, V1Job, V1Role } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { checkConfig } from '../../config/check-config.ts';
import { FAMILIES } from '../../domain/error-codes.ts';
import { clusterFeatures } from './cluster-features.ts';
import { configMapText } from './config-text.ts';
import { objectName } from './own-names.ts';
import { type Manifest, renderManifests } from './render.ts';
import { jobRights } from './render-access.ts';
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
  { version = '1.31', command = 'sync' }: { version?: string; command?: JobCommand } = {},
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
  });
}

const one = <T>(objects: readonly Manifest[], kind: string): T =>
  objects.find((object) => object.kind === kind) as T;
const podOf = (objects: readonly Manifest[]) => one<V1Job>(objects, 'Job').spec?.template.spec;

describe('names', () => {
  test.each([
    ['shop-15-to-16', 'pgglide-shop-15-to-16'],
    ['Shop 15 → 16', 'pgglide-shop-15-16'],
    ['__', 'pgglide'],
    ['x'.repeat(100), `pgglide-${'x'.repeat(37)}`],
  ])('%s', (migration, name) => {
    expect(objectName(migration)).toBe(name);
    expect(name).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
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

test.each(['1.19', '2.0', 'latest', ''])('"%s" is no version of Kubernetes that we know', (version) => {
  expect(() => clusterFeatures(version)).toThrow(expect.objectContaining({ code: 'bad_usage' }));
});
