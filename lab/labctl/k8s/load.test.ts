import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pathsOf } from '../folder.ts';
import { fetchLedger } from './load.ts';

let folder: string;

/** A kubectl that runs here what it is asked to run in the pod. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgglide-lab-'));
  const script = `#!/bin/sh
for last; do :; done
exec sh -c "$(printf %s "$last" | sed "s|/ledger/ledger.jsonl|${folder}/in-pod|g")"
`;
  await writeFile(join(folder, 'kubectl'), script);
  await chmod(join(folder, 'kubectl'), 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

test('two that fetch the ledger at once do not write its lines twice', async () => {
  const paths = pathsOf(folder);
  const cluster = { context: '', kubeconfig: undefined, namespace: '' };
  const lines = Array.from({ length: 5_000 }, (_, n) => `{"n":${n}}\n`);
  await writeFile(paths.ledger, lines.slice(0, 1_000).join(''));
  await writeFile(join(folder, 'in-pod'), lines.join(''));
  const fetch = () => fetchLedger(paths, cluster, 'loadgen');
  expect((await Promise.all([fetch(), fetch()])).map(({ isShorter }) => isShorter)).toEqual([false, false]);
  expect(await readFile(paths.ledger, 'utf8')).toBe(lines.join(''));
  await writeFile(join(folder, 'in-pod'), lines.slice(0, 10).join(''));
  expect(await fetch()).toMatchObject({ isShorter: true });
  expect(await readFile(paths.ledger, 'utf8')).toBe(lines.join(''));
});
