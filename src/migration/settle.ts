/**
 * What a proxy does for its clients when the tool died in a switchover: the side that the migration's row calls active
 * is made to take writes, so that traffic goes on within the lease and not when somebody comes to run the next command.
 * All the rest (links, slots, traffic) stays for that command.
 */

import { LockedError } from '../domain/errors.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { fenceState, liftFenceSql } from '../postgres/fence.ts';
import { existingLanes } from '../postgres/lane.ts';
import { list } from '../postgres/sql.ts';
import { disableSubscriptionSql } from '../postgres/subscription.ts';
import { type MigrationRow, readMigration } from '../state/migration-row.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';

/**
 * The old side was fenced before the commit point and the new side's fence is lifted after it, so in between neither
 * takes writes; never do both. Safe to repeat, and by several proxies at once: one of them gets the runner's lock.
 *
 * @param open a session of the caller's on a side; closed here
 * @returns false while the tool that switches still has its lock: it is alive, or its server does not know better
 */
export async function settleFences(
  migration: string,
  open: (side: Side) => Promise<Connection>,
): Promise<boolean> {
  await using target = await open('target');
  if ((await readMigration(target, migration))?.switchover === undefined) return true;
  try {
    await takeRunnerLock(target, migration);
  } catch (error) {
    if (error instanceof LockedError) return false;
    throw error;
  }
  // Read again behind the lock: whoever had it may have finished.
  const row = await readMigration(target, migration);
  if (row?.switchover === undefined || row.plan === undefined) return true;
  await using source = await open('source');
  await openActiveSide({ ...row, plan: row.plan }, { source, target });
  return true;
}

async function openActiveSide(
  { name, plan, activeSide }: MigrationRow & { readonly plan: NonNullable<MigrationRow['plan']> },
  sides: Readonly<Record<Side, Connection>>,
): Promise<void> {
  const active = sides[activeSide];
  const lift = liftFenceSql(await fenceState(active, plan.tables));
  if (lift === undefined) return;
  // The link that fed this side until now must not bring anything once clients write here.
  const feeding = await existingLanes(sides[otherSide(activeSide)], name, linkFrom(otherSide(activeSide)));
  const disable = feeding.map((lane) => disableSubscriptionSql(lane.subscription));
  await active.script(list([lift, ...disable], '; '));
}
