/** The keeper as a process, before the commit point. Behind it: test/e2e/other-poolers.e2e.test.ts. */

import { describe, expect } from 'vitest';
import { major, startBouncer } from '../../test/support/bouncer-bed.ts';
import { test } from '../../test/support/fixture.ts';
import { hasPgBouncer } from '../../test/support/pgbouncer.ts';
import { silenceAfter } from '../../test/support/silence.ts';
import { until } from '../base/async.ts';
import type { Settings } from '../config/settings.ts';
import { installFile, missingFiles } from '../state/install.ts';
import { createMigration } from '../state/migration-row.ts';
import { openTraffic } from '../traffic/open-traffic.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import { forkPauseKeeper } from './fork-pause-keeper.ts';

const PAUSE = { reason: 'test', leaseMs: 60_000, drainTimeoutMs: 5_000 };

interface Side {
  readonly address: Settings['source'];
}

const settingsOf = (source: Side, target: Side, pgbouncer: Settings['traffic']['pgbouncer']): Settings =>
  ({
    migration: 'kept',
    source: source.address,
    target: target.address,
    traffic: { driver: 'pgbouncer', pgbouncer },
  }) as unknown as Settings;

function kept(source: Side, target: Side, pgbouncer: Settings['traffic']['pgbouncer']): TrafficSwitch {
  const settings = settingsOf(source, target, pgbouncer);
  const forkKeeper = () => forkPauseKeeper({ settings, others: [] });
  return openTraffic(settings, { others: [], clusters: { source: 's', target: 't' }, forkKeeper });
}

const goesOn = (traffic: TrafficSwitch) =>
  until('the end of the pause', async () => ((await traffic.observe()).paused ? undefined : true), {
    timeoutMs: 20_000,
  });

describe.skipIf(!hasPgBouncer)('a pause of PgBouncer', () => {
  test('ends with the process that began it', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    const client = await bouncer.client();
    const traffic = kept(source, target, bouncer.pgbouncer);
    expect(await traffic.pause(PAUSE)).toEqual({ drained: true, obstacles: [] });
    const waiting = major(client);
    expect((await bouncer.traffic.observe()).paused).toBe(true);
    // Its end of the pipe closes, as when it dies.
    await traffic[Symbol.asyncDispose]();
    expect(await waiting).toBe(15);
    await goesOn(bouncer.traffic);
    await client.end();
  });

  test('ends with its lease, and then there is no commit point', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    await using traffic = kept(source, target, bouncer.pgbouncer);
    await traffic.pause({ ...PAUSE, leaseMs: 300 });
    await goesOn(bouncer.traffic);
    await expect(traffic.renew(300)).rejects.toThrow('The lease has ended');
    await expect(traffic.committing('target', 1)).rejects.toMatchObject({ code: 'hold_missing' });
    await traffic.resume('source', 0);
    expect(await bouncer.traffic.observe()).toMatchObject({ activeSide: 'source', paused: false });
  });

  test('of one ends also where another one is not there any more', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    const { bouncers } = bouncer.pgbouncer;
    const gone = bouncers.map((one) => ({ ...one, console: { ...one.console, port: 1 } }));
    const settings = settingsOf(source, target, { ...bouncer.pgbouncer, bouncers: [...gone, ...bouncers] });
    await bouncer.traffic.pause(PAUSE);
    await using keeper = await forkPauseKeeper({ settings, others: [] });
    await keeper.lease(1);
    await goesOn(bouncer.traffic);
    await keeper.dismiss();
  });

  test('goes on behind the announced commit point while nobody can tell which side is active', async ({
    source,
    target,
  }) => {
    await using bouncer = await startBouncer(source, target);
    await using traffic = kept(source, target, bouncer.pgbouncer);
    await traffic.pause(PAUSE);
    await traffic.committing('target', 1);
    await traffic.renew(1);
    // Each look takes longer than that lease.
    await traffic.observe();
    expect((await traffic.observe()).paused).toBe(true);
    await traffic.resume('target', 1);
    expect(await traffic.observe()).toMatchObject({ activeSide: 'target', epoch: 1, paused: false });
  });

  test('behind it is not kept waiting by a connection to the target that has died without a word', async ({
    source,
    target,
  }) => {
    for (const file of await missingFiles(target.connection, 'target'))
      await installFile(target.connection, file);
    const identifiers = { sourceSystemIdentifier: '1', targetSystemIdentifier: '2' };
    await createMigration(target.connection, { name: 'kept', ...identifiers });
    await using silence = await silenceAfter('pg_try_advisory_lock', target.address, 'pass');
    await using bouncer = await startBouncer(source, target);
    const behind = { address: { ...target.address, port: silence.port } };
    await using traffic = kept(source, behind, bouncer.pgbouncer);
    await traffic.pause(PAUSE);
    await traffic.committing('target', 1);
    await traffic.renew(1);
    await goesOn(bouncer.traffic);
    expect(silence.hasBegun).toBe(true);
  });
});
