import { spawnSync } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replaceFile } from './replace-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgglide-file-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a link stays one: the file that it leads to is replaced', async () => {
  const [file, link] = [join(folder, 'file'), join(folder, 'link')];
  await writeFile(file, 'old');
  await symlink('file', link);
  await replaceFile(link, 'new');
  expect((await lstat(link)).isSymbolicLink()).toBe(true);
  expect(await readFile(file, 'utf8')).toBe('new');
  expect(await readdir(folder)).toEqual(['file', 'link']);
});

const canMount = spawnSync('unshare', ['-rm', 'mount', '--bind', tmpdir(), tmpdir()]).status === 0;

test.skipIf(!canMount)('a file that is mounted by itself is written in its place', async () => {
  const [outside, inside] = [join(folder, 'outside'), join(folder, 'inside')];
  await writeFile(outside, 'old');
  await writeFile(inside, '');
  const program = `import { replaceFile } from '${new URL('replace-file.ts', import.meta.url)}';
    await replaceFile('${inside}', 'new');`;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', program];
  const mounted = ['sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"', outside, inside, ...node];
  const { status, stderr } = spawnSync('unshare', ['-rm', ...mounted], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(await readFile(outside, 'utf8')).toBe('new');
  expect(await readdir(folder)).toEqual(['inside', 'outside']);
});
