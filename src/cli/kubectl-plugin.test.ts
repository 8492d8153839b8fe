import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { packagePath } from '../base/package-root.ts';
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

test('what ends it ends its kubectl', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-kubectl-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const pods = JSON.stringify({ items: [pod('sync')] });
  // Its end is seen by its end of the pipe.
  const kubectl = `#!/bin/sh\ncase "$*" in *get*) echo '${pods}' ;; *) echo running; exec sleep 600 ;; esac\n`;
  await writeFile(join(folder, 'kubectl'), kubectl, { mode: 0o755 });
  const plugin = spawn(process.execPath, [packagePath('bin', 'kubectl-pgglide.js'), 'status'], {
    env: { PATH: `${folder}:${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(plugin.stdout, 'data');
  plugin.kill('SIGTERM');
  expect(await once(plugin, 'close')).toEqual([1, null]);
}, 30_000);
