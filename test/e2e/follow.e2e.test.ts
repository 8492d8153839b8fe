/** `sync --follow`: stays with the migration, and starts a link again that has stopped. */

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import type { SchemaChange } from '../../src/domain/schema-change.ts';
import { World } from './world.ts';

const PATIENCE_MS = 60_000;

test('a link that stopped runs again, a cutover is not in its way, and it ends with the migration', async () => {
  await using world = await World.create({ rows: 1000 });
  await world.startProxy();
  const following = world.start(['sync', '--follow']);
  await following.says('e2e: following');
  const [link] = await world.query<{ name: string }>('target', 'SELECT subname AS name FROM pg_subscription');
  await world.query('target', `ALTER SUBSCRIPTION "${link?.name}" DISABLE`);
  const isEnabled = async () => {
    const [row] = await world.query<{ on: boolean }>(
      'target',
      'SELECT subenabled AS on FROM pg_subscription',
    );
    return row?.on ? true : undefined;
  };
  await until('the link', isEnabled, { timeoutMs: PATIENCE_MS, intervalMs: 100 });

  // Nobody knows what was done while it was disabled.
  await world.succeed(['verify']);
  await world.succeed(['cutover']);
  await following.says('e2e: switched');
  const stopped = await following.kill('SIGTERM');
  expect(stopped.exitCode).toBe(10);

  // As a new pod begins: the target is the active side already.
  const again = world.start(['sync', '--follow']);
  await again.says('e2e: switched');
  await world.succeed(['complete', '--yes']);
  expect((await again.ended).exitCode).toBe(0);
});

test('DDL is told while it follows, once a change, and the hook is run', async () => {
  const hooks = 'hooks';
  await using world = await World.create({ rows: 100, config: [`hooks: { dir: ./${hooks} }`] });
  const told = join(world.folder, 'told');
  const hook = join(world.folder, hooks, 'on-schema-changed');
  await mkdir(join(world.folder, hooks));
  await writeFile(hook, `#!/bin/sh\ncat >>'${told}'\n`);
  await chmod(hook, 0o755);
  const following = world.start(['sync', '--follow']);
  await following.says('e2e: following');
  const changesToldTo = async (): Promise<readonly SchemaChange[]> => {
    const text = await readFile(told, 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => (JSON.parse(line) as { schemaChange: SchemaChange }).schemaChange);
  };
  const times = async (count: number) =>
    until('the hook', async () => ((await changesToldTo()).length >= count ? true : undefined), {
      timeoutMs: PATIENCE_MS,
      intervalMs: 100,
    });

  await world.query('source', 'CREATE TABLE public.later (id int PRIMARY KEY)');
  await following.logged('schema-changed');
  await times(1);
  // It is still there, and was told: the looks that follow say nothing more.
  expect((await world.status()).problems.join()).toContain('CREATE TABLE public.later by ');
  await world.succeed(['sync']);
  expect((await world.status()).schemaChanges).toEqual([]);

  await world.query('source', 'CREATE TABLE public.even_later (id int PRIMARY KEY)');
  await following.logged('schema-changed', undefined, 2);
  await times(2);
  expect((await changesToldTo()).map(({ statements }) => statements.map(({ object }) => object))).toEqual([
    ['public.later'],
    ['public.even_later'],
  ]);
  await world.succeed(['sync']);
  await world.succeed(['abort', '--yes']);
  expect((await following.ended).exitCode).toBe(0);
  expect(following.events.filter(({ type }) => type === 'schema-changed')).toHaveLength(2);
  // Not once more as a problem.
  const warnings = following.events.filter(({ type }) => type === 'warning');
  expect(warnings.filter(({ data }) => JSON.stringify(data).includes('schema'))).toEqual([]);
});
