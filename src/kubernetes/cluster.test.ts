import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { openCluster } from './cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'pgglide-kubeconfig-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Nothing listens on port 1. */
const config = (name: string, current: string) => {
  const path = join(folder, name);
  const clusters = [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }];
  const contexts = [{ name, context: { cluster: 'c', user: 'u', namespace: `of-${name}` } }];
  const users = [{ name: 'u', user: { token: 't' } }];
  writeFileSync(path, stringify({ apiVersion: 'v1', clusters, users, contexts, 'current-context': current }));
  return path;
};
const one = config('one', 'one');
const none = config('none', '');

describe('which cluster', () => {
  test('is the one of KUBECONFIG’s current context, with its namespace, unless another is named', async () => {
    expect(await openCluster({}, { KUBECONFIG: one })).toMatchObject({ context: 'one', namespace: 'of-one' });
    expect(await openCluster({ kubeconfig: one, namespace: 'shop' }, {})).toMatchObject({
      namespace: 'shop',
    });
    expect(await openCluster({ kubeconfig: none, context: 'none' }, {})).toMatchObject({ context: 'none' });
  });

  test('of several files those that are not there are passed over, and the first that names a thing counts', async () => {
    const KUBECONFIG = [join(folder, 'nope'), none, one, one].join(delimiter);
    expect(await openCluster({}, { KUBECONFIG })).toMatchObject({ context: 'one', namespace: 'of-one' });
  });

  test.each([
    ['a context that is not there', { kubeconfig: one, context: 'two' }, 'context_unknown', 2],
    ['no current context', { kubeconfig: none }, 'context_unknown', 2],
    ['a file that is not there', { kubeconfig: join(folder, 'nope') }, 'kubeconfig_invalid', 2],
    ['nothing at all', {}, 'cluster_not_named', 3],
  ])('%s is refused', async (_, choice, code, exitCode) => {
    await expect(openCluster(choice, { HOME: folder })).rejects.toMatchObject({ code, exitCode });
  });

  test('that does not answer is told from one that refuses', async () => {
    const cluster = await openCluster({ kubeconfig: one }, {});
    await expect(cluster.version()).rejects.toMatchObject({
      code: 'cluster_unreachable',
      exitCode: 4,
      message: expect.stringContaining('https://127.0.0.1:1'),
    });
  });
});
