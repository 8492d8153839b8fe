/** A server that is restored from a backup taken in the middle of a migration: what it knows of the migration is of the past. */

import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts';
import { openProxySwitch } from '../../src/traffic/proxy-switch.ts';
import type { TrafficSwitch } from '../../src/traffic/traffic-switch.ts';
import { test } from '../support/fixture.ts';
import { bound, rows, type Scene } from '../support/migration.ts';
import { withTable } from '../support/own-servers.ts';

const run = promisify(execFile);

/** Of the whole data directory, as a snapshot of the disk is one; made and taken back with the server down. */
class Backup {
  readonly #server: EmbeddedServer;
  readonly #copy: string;

  constructor(server: EmbeddedServer) {
    this.#server = server;
    this.#copy = `${server.dataDirectory}.backup`;
  }

  async make(): Promise<void> {
    await this.#server.stop();
    await run('cp', ['-a', this.#server.dataDirectory, this.#copy]);
    await this.#server.start();
  }

  async restore(): Promise<void> {
    await this.#server.stop();
    await rm(this.#server.dataDirectory, { recursive: true });
    await run('cp', ['-a', this.#copy, this.#server.dataDirectory]);
    await this.#server.start();
  }
}

/** The way back of before is still enabled on the source: with a slot it would bring back what comes from there. */
async function switchesOneWayAtATime(scene: Scene, source: EmbeddedServer): Promise<void> {
  const enabled: unknown[] = [];
  const traffic = (real: TrafficSwitch): TrafficSwitch => ({
    ...bound(real),
    async prepare(to) {
      enabled.push(...(await rows(source, 'SELECT subname FROM pg_subscription WHERE subenabled')));
      return real.prepare(to);
    },
  });
  // As a proxy that is started again takes it from the migration's row.
  await using proxy = openProxySwitch(scene.settings.traffic.proxies, 'test');
  await proxy.resume('source', 2);
  await scene.run((migration) => migration.cutover(), { traffic });
  expect(enabled).toEqual([]);
  await scene.rollback();
}

/** Settings under which a cutover asks for a verification. */
function requireVerified(scene: Scene): void {
  scene.settings = { ...scene.settings, cutover: { ...scene.settings.cutover, requireVerified: true } };
}

test('while it follows: what came since is missing for good, and the verification of before does not count', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    requireVerified(scene);
    await scene.sync();
    await scene.verify();
    const backup = new Backup(target);
    await backup.make();
    // The link has confirmed it: its slot does not bring it again.
    await rows(source, 'INSERT INTO t VALUES (1)');
    await scene.expectEqual();
    await backup.restore();

    const status = await scene.status();
    expect(status.verified).toMatchObject({ equal: true, isOfAnotherRun: true });
    expect(status.next).toContain('pgglide verify');
    const refused = { code: 'not_verified', exitCode: 7, message: expect.stringContaining('started again') };
    await expect(scene.cutover()).rejects.toMatchObject(refused);
    expect((await scene.verify()).summary.equal).toBe(false);
    await expect(scene.cutover()).rejects.toMatchObject({ code: 'not_verified' });
  });
});

test('to before a cutover: nobody can write, which is told, and nothing is taken away', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    const backup = new Backup(target);
    await backup.make();
    await scene.cutover();
    await rows(target, 'INSERT INTO t VALUES (1)');
    await scene.expectEqual();
    await backup.restore();

    const { phase, problems } = await scene.status();
    expect(phase).toBe('following');
    expect(problems.join('\n')).toMatch(
      /the source refuses writes.*nobody can write.*restored from a backup/,
    );
    expect(problems.join('\n')).toContain('the traffic switch sends clients to the target');
    const refused = { code: 'active_side_fenced', exitCode: 7, hint: expect.stringContaining('setval') };
    for (const command of ['sync', 'cutover', 'abort'] as const)
      await expect(scene[command](), command).rejects.toMatchObject(refused);

    // As the hint says, where the target's last moment is lost.
    await rows(source, "SELECT setval('pgglide.fence_state', 0)");
    await rows(source, 'INSERT INTO t VALUES (2)');
    await scene.sync();
    await scene.expectEqual();
    await switchesOneWayAtATime(scene, source);
    expect((await scene.abort()).leftovers).toEqual([]);
  });
});

test('to before a cutover, and the source goes on: abort takes away the link that the target has forgotten', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    const backup = new Backup(target);
    await backup.make();
    await scene.cutover();
    await backup.restore();
    await rows(source, "SELECT setval('pgglide.fence_state', 0)");
    expect((await scene.abort()).leftovers).toEqual([]);
  });
});

/** The position that the other side has taken over is a segment behind the backup's end. */
async function writesBehindBackup(scene: Scene, active: EmbeddedServer, id: number): Promise<void> {
  await rows(active, 'SELECT pg_switch_wal()');
  await rows(active, `INSERT INTO t VALUES (${id})`);
  await scene.expectEqual();
}

test('the side that takes the writes: what it writes until it is where it was, the link would leave out', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    const refused = (side: string) => ({ code: 'publisher_went_back', exitCode: 11, facts: { side } });
    const rehearse = () => scene.run((migration) => migration.rehearse());
    const complete = (unverified = false) =>
      scene.run((migration) => migration.complete({ dropFence: false, unverified }));
    await scene.sync();
    const ofSource = new Backup(source);
    await ofSource.make();
    await writesBehindBackup(scene, source, 1);
    expect((await scene.status()).problems).toEqual([]);
    await ofSource.restore();
    await rows(source, 'INSERT INTO t VALUES (2)');
    expect((await scene.status()).problems.join()).toMatch(
      /source has gone back in time.*pgglide abort, then/,
    );
    for (const command of [scene.sync, scene.verify, scene.cutover, rehearse])
      await expect(command()).rejects.toMatchObject(refused('source'));
    const dry = await scene.run((migration) => migration.cutover({ dryRun: true }));
    expect(dry.refusal).toMatchObject(refused('source'));
    // As the hint says.
    expect((await scene.abort()).leftovers).toEqual([]);
    await scene.sync();
    await scene.expectEqual();

    await scene.cutover();
    const ofTarget = new Backup(target);
    await ofTarget.make();
    await writesBehindBackup(scene, target, 3);
    expect((await scene.status()).problems).toEqual([]);
    await ofTarget.restore();
    await rows(target, 'INSERT INTO t VALUES (4)');
    expect((await scene.status()).problems.join()).toMatch(/target has gone back in time.*--unverified/);
    for (const command of [scene.sync, scene.verify, scene.rollback, rehearse, () => complete()])
      await expect(command()).rejects.toMatchObject(refused('target'));
    expect(await rows(source, 'SELECT id FROM t ORDER BY 1')).toEqual([{ id: 2 }, { id: 3 }]);
    await complete(true);
  });
});
