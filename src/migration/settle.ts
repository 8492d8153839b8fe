/**
 * What a proxy does for its clients when the tool died in a switchover: the side that the migration's row calls active
 * is made to take writes, so that traffic goes on within the lease and not when somebody comes to run the next command.
 * All the rest (links, slots, traffic) stays for that command.
 */

import { allEnded } from '../base/async.ts';
import { linkFrom, memberName, otherSide, type Side, type TableName } from '../domain/names.ts';
import { endSwitchoverSessions } from '../postgres/activity.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { isFenceRaised, liftFenceSql } from '../postgres/fence.ts';
import { existingLanes } from '../postgres/lane.ts';
import { list } from '../postgres/sql.ts';
import { disableSubscriptionSql } from '../postgres/subscription.ts';
import { type MigrationRow, readMigration } from '../state/migration-row.ts';
import { endRunner, tryRunnerLock } from '../state/runner-lock.ts';

/** A tool that is alive undoes or finishes a switchover in less; of one that has been silent for longer the sessions may be ended. */
export const SILENT_RUNNER_MS = 5_000;

export interface SettleOptions {
  readonly migration: string;
  /** A session of the caller's on a side, in the lead database or the named one; closed here. */
  readonly open: (side: Side, database?: string) => Promise<Connection>;
  /**
   * The tool has been silent for so long that it does not count any more, although its sessions still stand (its machine
   * hangs, its network is gone): they are ended, if they are as old as that. Younger is another proxy that settles, or who came to
   * mend it: proxies would end each other's sessions again and again.
   */
  readonly endRunnerOlderThanMs?: number | undefined;
}

/**
 * The old side was fenced before the commit point and the new side's fence is lifted after it, so in between neither
 * takes writes; never do both. Safe to repeat, and by several proxies at once: one of them gets the runner's lock.
 *
 * @returns false while the tool that switches still has its lock: it is alive, or its server does not know better
 */
export async function settleFences(options: SettleOptions): Promise<boolean> {
  await using target = await options.open('target');
  const seen = await readMigration(target, options.migration);
  if (seen?.switchover === undefined || seen.plan === undefined) return true;
  await using opened = new OpenedSessions(options.open);
  const lead = await opened.lead(seen, target);
  const databases = [lead, ...(await opened.others(seen))];
  if (isCommitted(seen)) {
    const raised = await Promise.all(databases.map(({ sides }) => isFenceRaised(sides[seen.activeSide])));
    if (!raised.includes(true)) return true;
  }
  const { endRunnerOlderThanMs } = options;
  if (endRunnerOlderThanMs !== undefined) await endWholeRunner(databases, endRunnerOlderThanMs);
  if (!(await tryRunnerLock(target, options.migration))) return false;
  // Read again behind the lock: whoever had it may have gone on.
  const row = await readMigration(target, options.migration);
  if (row?.switchover === undefined) return true;
  await allEnded(databases.map((database) => openActiveSide(database, row.activeSide)));
  return true;
}

/** One database that moves. */
interface Ends {
  /** As its lanes are named. */
  readonly migration: string;
  readonly tables: readonly TableName[];
  readonly sides: Readonly<Record<Side, Connection>>;
}

class OpenedSessions implements AsyncDisposable {
  readonly #open: SettleOptions['open'];
  readonly #sessions: Connection[] = [];

  constructor(open: SettleOptions['open']) {
    this.#open = open;
  }

  async lead({ name, plan }: MigrationRow, target: Connection): Promise<Ends> {
    return {
      migration: name,
      tables: plan?.tables ?? [],
      sides: { target, source: await this.#one('source') },
    };
  }

  /** Those that move together with it; each keeps its own plan. */
  async others({ name, plan }: MigrationRow): Promise<Ends[]> {
    const all: Ends[] = [];
    for (const database of plan?.otherDatabases ?? []) {
      const migration = memberName(name, database);
      const target = await this.#one('target', database);
      const own = await readMigration(target, migration);
      const source = await this.#one('source', database);
      all.push({ migration, tables: own?.plan?.tables ?? [], sides: { source, target } });
    }
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.close()));
  }

  async #one(side: Side, database?: string): Promise<Connection> {
    const session = await this.#open(side, database);
    this.#sessions.push(session);
    return session;
  }
}

const isCommitted = ({ epoch, switchover }: MigrationRow): boolean =>
  switchover !== undefined && epoch >= switchover.epoch;

/** The commit point's session first: without it nothing is switched any more. */
async function endWholeRunner(databases: readonly Ends[], leastAgeMs: number): Promise<void> {
  const [lead] = databases;
  if (lead !== undefined) await endRunner(lead.sides.target, lead.migration, leastAgeMs);
  const ends = databases.flatMap(({ migration, sides }) =>
    [sides.source, sides.target].map(async (session) => {
      await endRunner(session, migration, leastAgeMs);
      await endSwitchoverSessions(session, leastAgeMs);
    }),
  );
  await allEnded(ends);
}

async function openActiveSide(database: Ends, activeSide: Side): Promise<void> {
  if (!(await isFenceRaised(database.sides[activeSide]))) return;
  // The link that fed this side until now must not bring anything once clients write here.
  const other = otherSide(activeSide);
  const feeding = await existingLanes(database.sides[other], database.migration, linkFrom(other));
  const disable = feeding.map((lane) => disableSubscriptionSql(lane.subscription));
  await withBriefLock(database.sides[activeSide], list([...disable, liftFenceSql()], '; '));
}
