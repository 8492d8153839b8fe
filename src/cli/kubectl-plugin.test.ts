import { expect, test } from 'vitest';
import { choosePod, type ListedPod } from './kubectl-plugin.ts';

const pod = (component: string, instance = 'pgglide-shop', phase = 'Running'): ListedPod => ({
  metadata: {
    name: `${instance}-${component}-x`,
    labels: { 'app.kubernetes.io/component': component, 'app.kubernetes.io/instance': instance },
  },
  status: { phase },
});

test('commands run in the pod of a Job, the one that follows before others', () => {
  expect(choosePod([pod('check'), pod('sync')])).toBe('pgglide-shop-sync-x');
  expect(choosePod([pod('proxy'), pod('dashboard'), pod('cutover')])).toBe('pgglide-shop-cutover-x');
});

test('not in a proxy or the dashboard: without a Job’s pod that is what is said', () => {
  const missing = expect.objectContaining({ code: 'pod_missing', exitCode: 3 });
  expect(() => choosePod([pod('proxy'), pod('dashboard'), pod('sync', 'pgglide-shop', 'Failed')])).toThrow(
    missing,
  );
});

test('another migration’s proxies are no second choice; its Job is', () => {
  expect(choosePod([pod('sync'), pod('proxy', 'pgglide-other')])).toBe('pgglide-shop-sync-x');
  expect(() => choosePod([pod('sync'), pod('sync', 'pgglide-other')])).toThrow(
    expect.objectContaining({ code: 'several_migrations', exitCode: 2 }),
  );
});
