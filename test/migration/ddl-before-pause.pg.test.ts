/** DDL on the active side after the schemas were compared and before the pause: what it makes would stay behind. */

import { describe, expect } from 'vitest';
import type { TrafficSwitch } from '../../src/traffic/traffic-switch.ts';
import { bound, openSession, type RunOptions, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)';
const WITHOUT_NOTES = 'DROP EVENT TRIGGER pgglide_ddl; DROP EVENT TRIGGER pgglide_drop';

const late = { code: 'schema_drift', exitCode: 6, message: expect.stringContaining('last moments') };

/** The last comparison has been made. */
const whenCompared =
  (work: () => Promise<unknown>) =>
  (real: TrafficSwitch): TrafficSwitch => ({
    ...bound(real),
    prepare: async (to) => {
      await work();
      return real.prepare(to);
    },
  });

describe.each([
  ['noted', ''],
  ['not noted', WITHOUT_NOTES],
])('%s', (_, arrange) => {
  test('a table that comes to the source ends the cutover, and the next one names it; a column, too', async ({
    source,
    target,
  }) => {
    await source.exec(TABLE);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      if (arrange) await source.exec(arrange);
      const cutover = (options?: RunOptions) => scene.run((migration) => migration.cutover(), options);
      const table = 'CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)';
      await expect(cutover({ traffic: whenCompared(() => source.exec(table)) })).rejects.toMatchObject(late);
      const named = { code: 'schema_drift', message: expect.stringContaining('late') };
      await expect(cutover()).rejects.toMatchObject(named);
      await scene.sync();

      const column = 'ALTER TABLE t ADD extra int; INSERT INTO t VALUES (2, 2)';
      await expect(cutover({ traffic: whenCompared(() => source.exec(column)) })).rejects.toMatchObject(late);
      expect(pausedMs(scene)).toBeLessThan(scene.settings.cutover.pauseBudgetMs);
      await target.exec('ALTER TABLE t ADD extra int');
      await scene.sync();
      const { verification } = await scene.cutover();
      expect(verification?.equal).toBe(true);
      expect(await target.rows('SELECT id FROM late')).toEqual([{ id: 1 }]);
      await scene.rollback();
      await scene.abort();
    });
  });
});

function pausedMs({ events }: Scene): number | undefined {
  const aborted = events.findLast((event) => event.type === 'switchover-aborted');
  return aborted?.data.pauseMs;
}

test('a table that comes to the target ends the rollback', async ({ source, target }) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.cutover();
    const traffic = whenCompared(() =>
      target.exec('CREATE TABLE late (id int); INSERT INTO late VALUES (1)'),
    );
    await expect(scene.run((migration) => migration.rollback(), { traffic })).rejects.toMatchObject(late);
    await target.exec('INSERT INTO t VALUES (2); DROP TABLE late');
    await scene.verify();
    await scene.rollback();
    await scene.abort();
  });
});

test('a table that is made before the comparison and committed after it ends the cutover', async ({
  source,
  target,
}) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const writer = await openSession(source.address);
    try {
      await expect(
        scene.run((migration) => migration.cutover(), openWhileCompared(writer)),
      ).rejects.toMatchObject(late);
    } finally {
      await writer.end();
    }
    await scene.sync();
    await scene.cutover();
    expect(await target.rows('SELECT id FROM late')).toEqual([{ id: 1 }]);
    await scene.rollback();
    await scene.abort();
  });
});

/** From after the look for long transactions until the last comparison has been made. */
function openWhileCompared(writer: { query(text: string): Promise<unknown> }): RunOptions {
  let mayBegin = false;
  return {
    onEvent: (event) => {
      mayBegin ||= event.type === 'switchover-step' && event.data.step.id === 'open-sessions';
    },
    traffic: (real) => ({
      ...whenCompared(() => writer.query('COMMIT'))(real),
      observe: async () => {
        if (mayBegin)
          await writer.query('BEGIN; CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)');
        mayBegin = false;
        return real.observe();
      },
    }),
  };
}
