/**
 * The two ends of a migration whose other server is gone for good: what is ours goes from the one that is left, above all the
 * slot that keeps its WAL. Nothing here needs the lost one, and nothing is done while it answers.
 */

import type { ServerAddress } from '../config/server-address.ts';
import type { Settings } from '../config/settings.ts';
import { RefusedError, UnreachableError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { eventNow, type Listen } from '../engine/event-stream.ts';
import { Connection } from '../postgres/connection.ts';
import { allDatabases } from '../postgres/databases.ts';
import { dropHalfLinks } from '../postgres/drop-half-link.ts';
import { countRaisedFences, dropAllFences } from '../postgres/fence.ts';
import { dropHelperIndexes } from '../postgres/helper-index.ts';
import { dropEventTriggers } from '../postgres/noted-ddl.ts';
import { dropSlot } from '../postgres/replication-slot.ts';
import { tableSyncSlots } from '../postgres/table-sync-slot.ts';
import { dropOwnSchema } from '../state/install.ts';
import { changePhase, readMigration, saveIntent } from '../state/migration-row.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { openPlacement } from '../traffic/open-traffic.ts';
import type { TrafficPlacement } from '../traffic/traffic-placement.ts';
import { type AbortResult, leftoversOf, servesOthers } from './finish.ts';
import { mayRun, settingsOf } from './session.ts';

/** However long a slot of a server that is gone is still held by its walsender. */
const DROP_TIMEOUT_MS = 30_000;

/**
 * `complete` without the source. The target is the database; what it has kept for the way back goes.
 *
 * @throws {RefusedError} `server_not_lost`, `wrong_phase`; what TrafficPlacement.takeOut throws
 */
export async function completeWithoutSource(
  settings: Settings,
  listen: Listen,
  placement = openPlacement(settings, settings.migration),
): Promise<void> {
  await requireLost(settings, 'source');
  await using target = await Connection.open(settings.target, { purpose: 'control' });
  await takeRunnerLock(target, settings.migration);
  const row = await readMigration(target, settings.migration);
  if (row?.phase === 'completed') return;
  // It may have been lost behind the commit point of a cutover that nobody has finished.
  if (row?.activeSide !== 'target') mayRun('complete', row?.phase ?? 'new');
  for (const name of row?.plan?.otherDatabases ?? []) {
    const own = settingsOf(settings, name);
    await using other = await Connection.open(own.target, { purpose: 'control' });
    await leaveSide(other, own.migration);
    await dropTableSyncSlots(other, row?.sourceSystemIdentifier);
  }
  await leaveSide(target, settings.migration);
  await dropTableSyncSlots(target, row?.sourceSystemIdentifier);
  await takeProxyOut(placement, 'target');
  await saveIntent(target, settings.migration, undefined);
  const event = eventNow('phase-changed', { from: row?.phase ?? 'switched', to: 'completed' });
  await changePhase(target, settings.migration, 'completed', event);
  listen(event);
}

/**
 * `abort` without the target, before any cutover. The migration's row went with it; the fence tells that the source is active.
 *
 * @throws {RefusedError} `server_not_lost`, `source_fenced`; what TrafficPlacement.takeOut throws
 */
export async function abortWithoutTarget(
  settings: Settings,
  placement = openPlacement(settings, settings.migration),
): Promise<AbortResult> {
  await requireLost(settings, 'target');
  const leftovers: string[] = [];
  // Of all of them, before anything is dropped in any.
  await inEachSource(settings, assertActive);
  await inEachSource(settings, async (source, migration, prefix) => {
    await leaveSide(source, migration);
    const place = { migration, side: () => source };
    if (!(await servesOthers('source', place))) await dropOwnSchema(source);
    leftovers.push(...(await leftoversOf('source', place)).map((what) => prefix + what));
  });
  await takeProxyOut(placement, 'source');
  return { leftovers };
}

async function inEachSource(
  settings: Settings,
  work: (source: Connection, migration: string, prefix: string) => Promise<void>,
): Promise<void> {
  await using lead = await Connection.open(settings.source, { purpose: 'control' });
  const { database } = settings.source;
  const named = settings.otherDatabases === 'all' ? await allDatabases(lead) : settings.otherDatabases;
  const others = named.filter((name) => name !== database);
  const prefix = (name: string) => (others.length === 0 ? '' : `${name}: `);
  for (const name of others) {
    const own = settingsOf(settings, name);
    await using source = await Connection.open(own.source, { purpose: 'control' });
    await work(source, own.migration, prefix(name));
  }
  await work(lead, settings.migration, prefix(database));
}

/** The application's locks last: without its slot nothing fills the disk any more. */
async function leaveSide(connection: Connection, migration: string): Promise<void> {
  await dropHalfLinks(connection, migration);
  await dropEventTriggers(connection);
  await dropHelperIndexes(connection);
  await dropAllFences(connection);
}

/**
 * With them the lost source's subscriptions had rows of single tables copied to it (join-return-link). They are told by its
 * system identifier: whosever they were, they can only be used by a server that is gone.
 */
async function dropTableSyncSlots(target: Connection, systemIdentifier: string | undefined): Promise<void> {
  if (systemIdentifier === undefined) return;
  for (const name of await tableSyncSlots(target, systemIdentifier))
    await dropSlot(target, name, { timeoutMs: DROP_TIMEOUT_MS });
}

/** After the slots: a restart of the application takes its time, and the disk fills up meanwhile. */
async function takeProxyOut(placement: TrafficPlacement | undefined, active: Side): Promise<void> {
  if (placement === undefined || (await placement.observe()).place === 'out') return;
  await placement.takeOut(active, new AbortController().signal);
}

/** @throws {RefusedError} `server_not_lost` */
async function requireLost(settings: Settings, side: Side): Promise<void> {
  if (!(await answers(settings[side]))) return;
  throw new RefusedError('server_not_lost', `The ${side} answers: it is not lost`, {
    hint: 'Run it without the flag.',
  });
}

/** One that refuses our log-in is up, too. */
async function answers(address: ServerAddress): Promise<boolean> {
  try {
    await (await Connection.open(address, { purpose: 'control' })).close();
    return true;
  } catch (error) {
    if (error instanceof UnreachableError) return error.code === 'login_failed';
    throw error;
  }
}

/** @throws {RefusedError} `source_fenced` */
async function assertActive(source: Connection): Promise<void> {
  if ((await countRaisedFences(source)) === 0) return;
  throw new RefusedError(
    'source_fenced',
    'The source’s fence is raised: the target had taken over, or was about to, and has writes that the source lacks',
    {
      hint: 'Restore the target. If what it took is lost and the source is to go on without it, drop what is named pgglide_* there, then: DROP SCHEMA pgglide CASCADE.',
    },
  );
}
