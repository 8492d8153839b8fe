import { describe, expect, test } from 'vitest';
import { policyRules } from '../kubernetes/right.ts';
import { trafficRights } from './kubernetes-rights.ts';

const SHOP = {
  kind: 'ConfigMap',
  name: 'shop-config',
  keys: { url: 'DATABASE_URL' },
  workloads: [
    { kind: 'Deployment', name: 'shop' },
    { kind: 'StatefulSet', name: 'worker' },
  ],
} as const;

describe('what the switch may', () => {
  const rules = policyRules(trafficRights(SHOP, 'shop-15-to-16'));
  const bound = (resource: string) =>
    rules
      .filter(({ resources }) => resources.includes(resource))
      .map(({ verbs, resourceNames }) => [resourceNames?.join() ?? 'all', verbs.join()]);

  test('of Secrets: to make and remove its own, and to read none', () => {
    expect(bound('secrets')).toEqual([
      ['all', 'create'],
      ['pgglide-shop-15-to-16-proxy', 'patch,delete'],
    ]);
  });

  test('of the application: its ConfigMap and its workloads, by name; of a StatefulSet’s pods one may be in the way', () => {
    expect(bound('configmaps')).toEqual([['shop-config', 'get,patch']]);
    expect(bound('statefulsets')).toEqual([['worker', 'get,patch']]);
    expect(bound('deployments')).toEqual([
      ['shop', 'get,patch'],
      ['all', 'create'],
      ['pgglide-shop-15-to-16-proxy', 'get,patch,delete'],
    ]);
    expect(bound('pods')).toEqual([['all', 'list,delete']]);
    const workloads = SHOP.workloads.filter(({ kind }) => kind === 'Deployment');
    const least = policyRules(trafficRights({ ...SHOP, workloads }, 'm'));
    expect(least.find(({ resources }) => resources.includes('pods'))?.verbs).toEqual(['list']);
  });

  test('where the application knows a Secret, that one too', () => {
    const secrets = policyRules(trafficRights({ ...SHOP, kind: 'Secret', name: 'shop-db' }, 'm')).filter(
      ({ resources }) => resources.includes('secrets'),
    );
    expect(secrets[0]).toMatchObject({ verbs: ['get', 'patch'], resourceNames: ['shop-db'] });
  });
});
