import { expect, test } from 'vitest';
import { localArguments, pluginArguments } from './plugin-arguments.ts';

test.each([
  ['status', [], undefined, ['status']],
  ['-n shop status -w', ['--namespace=shop'], undefined, ['status', '-w']],
  ['--namespace=shop cutover --dry-run', ['--namespace=shop'], undefined, ['cutover', '--dry-run']],
  ['status --context prod -n shop', ['--context=prod', '--namespace=shop'], undefined, ['status']],
  ['-m shop-15-to-16 verify -o json', [], 'shop-15-to-16', ['verify', '-o', 'json']],
  ['set copy.rateLimit=5MB/s', [], undefined, ['set', 'copy.rateLimit=5MB/s']],
])('%s', (line, kubectl, migration, command) => {
  expect(pluginArguments(line.split(' '))).toEqual({ kubectl, migration, command, isLocal: false });
});

test.each(['', '--help', 'k8s render -n shop', 'version'])('"%s" runs here', (line) => {
  expect(pluginArguments(line.split(' ').filter(Boolean)).isLocal).toBe(true);
});

test.each([
  [
    '-n shop --context=prod -m orders k8s logs --run cutover',
    'k8s logs --run cutover --namespace=shop --context=prod --migration=orders',
  ],
  ['k8s render -n shop', 'k8s render --namespace=shop'],
  ['--help', '--help'],
])('%s runs here as: %s', (line, run) => {
  expect(localArguments(pluginArguments(line.split(' '))).join(' ')).toBe(run);
});
