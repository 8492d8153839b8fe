/**
 * What a proxy does for its clients when the tool died in a switchover: the side that the migration's row calls active
 * is made to take writes, so that traffic goes on within the lease and not when somebody comes to run the next command.
 * All the rest (links, slots, traffic) stays for that command.
 */

import { LockedError } from '../domain/errors.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import { endSwitchoverSessions } from '../postgres/activity.ts';
import type { Connection } from '../postgres/connection.ts';
import { fenceState, liftFenceSql } from '../postgres/fence.ts';
import { existingLanes } from '../postgres/lane.ts';
import { list, type Sql } from '../postgres/sql.ts';
import { disableSubscriptionSql } from '../postgres/subscription.ts';
import { type MigrationRow, readMigration } from '../state/migration-row.ts';
import { endRunner, takeRunnerLock } from '../state/runner-lock.ts';

export interface SettleOptions {
  readonly migration: string;
  /** A session of the caller's on a side; closed here. */
  readonly open: (side: Side) => Promise<Connection>;
  /**
   * The tool has been silent for so long that it does not count any more, although its sessions still stand (its machine
   * hangs, its network is gone): they are ended.
   */
  readonly endRunner: boolean;
}

/**
 * The old side was fenced before the commit point and the new side's fence is lifted after it, so in between neither
 * takes writes; never do both. Safe to repeat, and by several proxies at once: one of them gets the runner's lock.
 *
 * @returns false while the tool that switches still has its lock: it is alive, or its server does not know better
 */
export async function settleFences({ migration, open, endRunner: mayEnd }: SettleOptions): Promise<boolean> {
  await using target = await open('target');
  const seen = await readMigration(target, migration);
  if (seen?.switchover === undefined || seen.plan === undefined) return true;
  await using source = await open('source');
  const sides = { source, target };
  if (isCommitted(seen) && (await liftOf(seen, sides)) === undefined) return true;
  if (mayEnd) await endWholeRunner(migration, sides);
  try {
    await takeRunnerLock(target, migration);
  } catch (error) {
    if (error instanceof LockedError) return false;
    throw error;
  }
  // Read again behind the lock: whoever had it may have gone on.
  const row = await readMigration(target, migration);
  if (row?.switchover !== undefined) await openActiveSide(row, sides);
  return true;
}

type Sides = Readonly<Record<Side, Connection>>;

const isCommitted = ({ epoch, switchover }: MigrationRow): boolean =>
  switchover !== undefined && epoch >= switchover.epoch;

/** The commit point's session first: without it nothing is switched any more. */
async function endWholeRunner(migration: string, { source, target }: Sides): Promise<void> {
  await endRunner(target, migration);
  await Promise.all([endSwitchoverSessions(source), endSwitchoverSessions(target)]);
}

/** Undefined: the active side takes writes. */
const liftOf = async ({ plan, activeSide }: MigrationRow, sides: Sides): Promise<Sql | undefined> =>
  liftFenceSql(await fenceState(sides[activeSide], plan?.tables ?? []));

async function openActiveSide(row: MigrationRow, sides: Sides): Promise<void> {
  const lift = await liftOf(row, sides);
  if (lift === undefined) return;
  // The link that fed this side until now must not bring anything once clients write here.
  const other = otherSide(row.activeSide);
  const feeding = await existingLanes(sides[other], row.name, linkFrom(other));
  const disable = feeding.map((lane) => disableSubscriptionSql(lane.subscription));
  await sides[row.activeSide].script(list([lift, ...disable], '; '));
}
