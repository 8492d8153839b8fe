import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { MigrationEvent } from '../../src/domain/event.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const TABLES = `
  CREATE TABLE a (id int PRIMARY KEY, t text);
  INSERT INTO a SELECT g, repeat('x', 800) FROM generate_series(1, 4000) g`;

const copyOf = (event: MigrationEvent) => (event.type === 'copy-progress' ? event.data : undefined);

/** Settings before the scene's next command. */
const configure = (scene: Scene, change: Partial<Scene['settings']['throttle']>) => {
  scene.settings = { ...scene.settings, throttle: { ...scene.settings.throttle, ...change } };
};

/** Runs sync, and `release` once the copy stands still for `reason`. Ends only if that lets it go on. */
async function syncReleased(scene: Scene, reason: RegExp, release: () => Promise<unknown>): Promise<void> {
  let released: Promise<unknown> | undefined;
  await scene.run((migration) => migration.sync(), {
    onEvent: (event) => {
      if (reason.test(copyOf(event)?.pausedBy ?? '')) released ??= release();
    },
  });
  expect(released, 'the copy stood still').toBeDefined();
  await released;
  const waits = scene.events.filter((event) => event.type === 'step-waiting').map((event) => event.data);
  expect(waits).toContainEqual({ step: 'copy-tables', waitingFor: expect.stringMatching(reason) });
  await scene.expectEqual();
  await scene.abort();
}

describe('the copy stands still', () => {
  test('on request, and goes on when another command says so', async ({ source, target }) => {
    await source.exec(TABLES);
    await withScene({ source, target }, async (scene) => {
      await expect(
        scene.run((migration) => migration.tune({ throttledSince: new Date().toISOString() })),
      ).rejects.toMatchObject({ code: 'not_begun', exitCode: 7 });
      let asked: Promise<unknown> | undefined;
      let released: Promise<unknown> | undefined;
      await scene.run((migration) => migration.sync(), {
        onEvent: (event) => {
          if (event.type === 'step-finished' && event.data.step === 'load-schema')
            asked ??= target.exec(
              `UPDATE pgglide.migration SET tuning = '{"throttledSince": "2026-01-01T00:00:00Z"}'`,
            );
          if (copyOf(event)?.pausedBy !== undefined)
            released ??= scene.run((migration) => migration.tune({ throttledSince: null }));
        },
      });
      await asked;
      expect(await released).toEqual({});
      await scene.expectEqual();
      await scene.abort();
    });
  });

  test('while the flag file exists', async ({ source, target }) => {
    const flagFile = join(tmpdir(), `pgglide-flag-${source.name}`);
    await source.exec(TABLES);
    await writeFile(flagFile, '');
    try {
      await withScene({ source, target }, async (scene) => {
        configure(scene, { flagFile });
        await syncReleased(scene, /the removal of .*pgglide-flag/, () => rm(flagFile));
      });
    } finally {
      await rm(flagFile, { force: true });
    }
  });
});

test('while more sessions are active on the source than may be', async ({ source, target }) => {
  await source.exec(TABLES);
  // Two, of which one may be: both wait for this lock, which a session that is idle holds.
  const [holder, ...busy] = await Promise.all([1, 2, 3].map(() => openSession(source.address)));
  if (!holder) throw new Error('three sessions');
  try {
    await holder.query('SELECT pg_advisory_lock(42)');
    const waiting = busy.map((session) => session.query('SELECT pg_advisory_lock_shared(42)'));
    await withScene({ source, target }, async (scene) => {
      configure(scene, { maxActiveSessions: 1 });
      await syncReleased(scene, /^2 active sessions on the source/, async () => {
        await holder.query('SELECT pg_advisory_unlock(42)');
        await Promise.all(waiting);
      });
    });
  } finally {
    await Promise.all([holder, ...busy].map((session) => session.end()));
  }
});

test('jobs and rate are changed while it runs', async ({ source, target }) => {
  await source.exec(TABLES);
  await withScene({ source, target }, async (scene) => {
    // Without a change this copy would take an hour.
    const copy = { ...scene.settings.copy, rateLimitBytesPerSecond: 1_000 };
    scene.settings = { ...scene.settings, copy };
    let changed: Promise<unknown> | undefined;
    await scene.run((migration) => migration.sync(), {
      onEvent: (event) => {
        if (copyOf(event))
          changed ??= scene.run((migration) =>
            migration.tune({ copyJobs: 1, copyRateLimitBytesPerSecond: 100e6 }),
          );
      },
    });
    expect(await changed).toEqual({ copyJobs: 1, copyRateLimitBytesPerSecond: 100e6 });
    await scene.expectEqual();
    await scene.abort();
  });
});

test('status tells the WAL limit that counts, not the configured one', async ({ source, target }) => {
  await source.exec(TABLES);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.run((migration) => migration.tune({ maxWalRetainedBytes: 60e9 }));
    expect((await scene.status()).link?.walLimitBytes).toBe(60e9);
    await scene.run((migration) => migration.tune({ maxWalRetainedBytes: 1 }));
    const { problems } = await scene.status();
    expect(problems).toEqual([expect.stringMatching(/^slot \S+ keeps .+ of 1 B of WAL/)]);
    await scene.abort();
  });
});
