/** What npm installs, without the checkout around it: its programs, and the demo that the first command of `--help` names. */

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/base/package-root.ts';
import { Tool } from './tool.ts';

const run = promisify(execFile);
/** What is built from, and what `files` of package.json chooses from. */
const CHECKOUT = [
  'assets',
  'bin',
  'docs',
  'lab',
  'sql',
  'src',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
];
const TEXTS = ['LICENSE', 'README.md', 'CHANGELOG.md'];

let folder: string;
const installed = (...parts: string[]): string => join(folder, 'node_modules', 'pgglide', ...parts);
const pgglide = (...args: string[]) =>
  run(process.execPath, [installed('bin', 'pgglide.js'), ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgglide-package-'));
  const checkout = join(folder, 'checkout');
  await mkdir(checkout);
  for (const name of [...CHECKOUT, ...TEXTS])
    await cp(packagePath(name), join(checkout, name), { recursive: true });
  await symlink(packagePath('node_modules'), join(checkout, 'node_modules'));
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: checkout });
  await rm(checkout, { recursive: true });
  await mkdir(installed(), { recursive: true });
  await run('tar', ['-xzf', join(folder, stdout.trim()), '-C', installed(), '--strip-components=1']);
  // In place of `npm install`, which would fetch them: its dependencies stand beside it.
  for (const name of await readdir(packagePath('node_modules'))) {
    if (name !== '.bin' && name !== 'pgglide')
      await symlink(packagePath('node_modules', name), join(folder, 'node_modules', name));
  }
}, 240_000);

afterAll(async () => rm(folder, { recursive: true, force: true }));

test('holds neither sources nor tests', async () => {
  const files = await readdir(installed(), { recursive: true });
  expect(files.filter((file) => /(?<!\.d)\.ts$|\.test\./.test(file))).toEqual([]);
  expect((await pgglide('version')).stdout).toContain('pgglide ');
});

test('says when the folder that it was started in is gone', async () => {
  const script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"';
  const version = [process.execPath, installed('bin', 'pgglide.js'), 'version'];
  await expect(run('sh', ['-c', script, 'sh', ...version], { cwd: folder })).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('error folder_gone'),
  });
});

test('the demo runs, and Ctrl-C ends all of it', async () => {
  const program = [
    process.execPath,
    installed('bin', 'pgglide.js'),
    'demo',
    '--rows',
    '5000',
    '--rate',
    '50',
  ];
  const demo = new Tool(program, { NO_COLOR: '1' }, folder);
  const before = await readdir(folder);
  try {
    await demo.says('req/s running');
    await demo.says('check: nothing in the way');
  } finally {
    expect((await demo.kill('SIGINT')).exitCode, demo.output).toBe(10);
  }
  expect(await readdir(folder)).toEqual(before);
});
