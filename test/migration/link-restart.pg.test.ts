/** A server that comes back finds its link alive, with no command of ours running. */

import { expect } from 'vitest';
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts';
import { test } from '../support/fixture.ts';
import { rows, withScene } from '../support/migration.ts';

type Login = Pick<EmbeddedServer, 'address'>;

async function restart(server: EmbeddedServer): Promise<void> {
  await server.stop('immediate');
  await server.start();
}

/** What is written on `from` now shows on `to`. */
async function follows(from: Login, to: Login, word: string): Promise<void> {
  await rows(from, `INSERT INTO public.t (word) VALUES ('${word}')`);
  await expect
    .poll(() => rows(to, `SELECT word FROM public.t WHERE word = '${word}'`), { timeout: 40_000 })
    .toEqual([{ word }]);
}

test('after a restart of either server the link goes on by itself, in both directions', {
  timeout: 240_000,
}, async ({ ownServers }) => {
  const [source, target] = await ownServers([15, 16]);
  if (!source || !target) throw new Error('two servers');
  await rows(source, 'CREATE TABLE public.t (id serial PRIMARY KEY, word text)');
  const ends = { source: { address: source.address() }, target: { address: target.address() } };
  await withScene(ends, async (scene) => {
    await scene.sync();
    await restart(source);
    await follows(source, target, 'source back');
    await restart(target);
    await follows(source, target, 'target back');
    await rows(source, 'SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
    await follows(source, target, 'connection cut');

    await scene.cutover();
    await restart(source);
    await follows(target, source, 'old side back');
    await restart(target);
    await follows(target, source, 'new side back');
    expect((await scene.status()).problems).toEqual([]);
    await scene.rollback();
    expect(await rows(source, 'SELECT count(*)::int AS n FROM public.t')).toEqual([{ n: 5 }]);
  });
});

test('a password that was changed on a publisher reaches its link with the next command', {
  timeout: 240_000,
}, async ({ ownServers }) => {
  const [source, target] = await ownServers([15, 16]);
  if (!source || !target) throw new Error('two servers');
  for (const server of [source, target])
    await rows(server, "CREATE ROLE carrier SUPERUSER LOGIN PASSWORD 'one'");
  await rows(source, 'CREATE TABLE public.t (id serial PRIMARY KEY, word text)');
  // The sync gives other roles of the target the passwords that they have on the source.
  const as = (server: EmbeddedServer, password: string): Login => ({
    address: () => ({ ...server.address(), user: 'carrier', password }),
  });
  const [oldSource, newSource] = [as(source, 'one'), as(source, 'two')];
  const [oldTarget, newTarget] = [as(target, 'one'), as(target, 'two')];
  const change = async (login: Login) => {
    await rows(
      login,
      "ALTER ROLE carrier PASSWORD 'two'; SELECT pg_terminate_backend(pid) FROM pg_stat_replication",
    );
  };
  const ends = { source: { address: oldSource.address() }, target: { address: oldTarget.address() } };
  await withScene(ends, async (scene) => {
    const configure = (side: 'source' | 'target', login: Login) => {
      const link = side === 'source' ? 'sourceForTarget' : 'targetForSource';
      const address = login.address();
      Object.assign(scene, { settings: { ...scene.settings, [side]: address, [link]: address } });
    };
    await scene.sync();
    await change(oldSource);
    configure('source', newSource);
    await scene.sync();
    await follows(newSource, oldTarget, 'after the source’s');

    await scene.run((migration) => migration.cutover({ unverified: true }));
    await change(oldTarget);
    configure('target', newTarget);
    await scene.rollback();
    await follows(newSource, newTarget, 'after the target’s');
    await scene.run((migration) => migration.cutover({ unverified: true }));
    await follows(newTarget, newSource, 'and back');
  });
});
