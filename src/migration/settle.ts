/**
 * What a proxy does for its clients when the tool died in a switchover: the side that the migration's row calls active
 * is made to take writes, so that traffic goes on within the lease and not when somebody comes to run the next command.
 * All the rest (links, slots, traffic) stays for that command.
 */

import { allEnded, withDeadline } from '../base/async.ts';
import { linkFrom, memberName, otherSide, type Side } from '../domain/names.ts';
import { endSwitchoverSessions } from '../postgres/activity.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { isFenceRaised, liftFenceSql } from '../postgres/fence.ts';
import { followedLanes } from '../postgres/lane.ts';
import { list } from '../postgres/sql.ts';
import { disableSubscriptionSql } from '../postgres/subscription.ts';
import { isCommitted, type MigrationRow, readMigration } from '../state/migration-row.ts';
import { endRunner, tryRunnerLock } from '../state/runner-lock.ts';

/** A tool that is alive undoes or finishes a switchover in less; of one that has been silent for longer the sessions may be ended. */
export const SILENT_RUNNER_MS = 5_000;
/** How long one that may be gone is waited for: requests wait as long. */
const GONE_SOURCE_MS = 1_000;

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
 * takes writes; never do both. Safe to repeat, and by several proxies at once: one of them gets the runner's lock. The other side
 * need not be there: after a cutover it may have gone with the tool.
 *
 * @returns false while the tool that switches still has its lock: it is alive, or its server does not know better
 */
export async function settleFences(options: SettleOptions): Promise<boolean> {
  await using target = await options.open('target');
  const seen = await readMigration(target, options.migration);
  if (seen?.switchover === undefined || seen.plan === undefined) return true;
  const { activeSide } = seen;
  const members = membersOf(seen);
  await using opened = new OpenedSessions(options.open);
  const ends: End[] = [];
  for (const { migration, database } of members) {
    const isLeadsTarget = activeSide === 'target' && database === undefined;
    ends.push({ migration, active: isLeadsTarget ? target : await opened.open(activeSide, database) });
  }
  if (isCommitted(seen)) {
    const raised = await Promise.all(ends.map(({ active }) => isFenceRaised(active)));
    if (!raised.includes(true)) return true;
  }
  const { endRunnerOlderThanMs } = options;
  if (endRunnerOlderThanMs !== undefined)
    await endWholeRunner(members, opened, { activeSide, leastAgeMs: endRunnerOlderThanMs });
  if (!(await tryRunnerLock(target, options.migration))) return false;
  // Read again behind the lock: whoever had it may have gone on.
  const row = await readMigration(target, options.migration);
  if (row?.switchover === undefined) return true;
  if (row.activeSide !== activeSide) return false;
  await allEnded(ends.map((end) => openActiveSide(end, activeSide)));
  return true;
}

/** A database that moves. */
interface Member {
  /** As its lanes are named. */
  readonly migration: string;
  /** Undefined: the lead's. */
  readonly database: string | undefined;
}

interface End {
  readonly migration: string;
  /** On the active side. */
  readonly active: Connection;
}

const membersOf = ({ name, plan }: MigrationRow): Member[] => [
  { migration: name, database: undefined },
  ...(plan?.otherDatabases ?? []).map((database) => ({ migration: memberName(name, database), database })),
];

class OpenedSessions implements AsyncDisposable {
  readonly #open: SettleOptions['open'];
  readonly #sessions: Connection[] = [];
  #isOver = false;

  constructor(open: SettleOptions['open']) {
    this.#open = open;
  }

  async open(side: Side, database: string | undefined): Promise<Connection> {
    const session = await this.#open(side, database);
    this.#sessions.push(session);
    // Nobody has waited for it.
    if (this.#isOver) await session.close();
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#sessions.map((session) => session.close()));
  }
}

interface RunnerToEnd {
  readonly activeSide: Side;
  readonly leastAgeMs: number;
}

/**
 * The commit point's session first: without it nothing is switched any more. Behind that point a runner that wakes up has nothing
 * to open but the target, and asks whether it still may: a source that is gone is not waited for.
 */
async function endWholeRunner(
  members: readonly Member[],
  opened: OpenedSessions,
  { activeSide, leastAgeMs }: RunnerToEnd,
): Promise<void> {
  const endOn = async (side: Side, { migration, database }: Member) => {
    const session = await opened.open(side, database);
    await endRunner(session, migration, leastAgeMs);
    await endSwitchoverSessions(session, leastAgeMs);
  };
  for (const member of members) await endOn('target', member);
  const ended = allEnded(members.map((member) => endOn('source', member)));
  if (activeSide === 'source') await ended;
  else
    await withDeadline('the end of the sessions on the source', GONE_SOURCE_MS, ended).catch(() => undefined);
}

async function openActiveSide({ migration, active }: End, activeSide: Side): Promise<void> {
  if (!(await isFenceRaised(active))) return;
  // The link that fed this side until now must not bring anything once clients write here.
  const feeding = await followedLanes(active, migration, linkFrom(otherSide(activeSide)));
  const disable = feeding.map((lane) => disableSubscriptionSql(lane.subscription));
  await withBriefLock(active, list([...disable, liftFenceSql()], '; '));
}
