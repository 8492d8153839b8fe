/** Copy, then follow. The same command again goes on where it stopped. */

import { PrerequisiteError, RefusedError } from '../domain/errors.ts';
import type { Lsn } from '../domain/lsn.ts';
import type { Phase } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import { reconcile } from '../engine/reconcile.ts';
import type { StepContext } from '../engine/step.ts';
import { existingLanes } from '../postgres/lane.ts';
import { planMigration } from '../schema/plan-migration.ts';
import { forgetUnplanned } from '../state/copy-progress.ts';
import { createMigration, type MigrationRow, savePlan } from '../state/migration-row.ts';
import { takeBeginningLocks, takeRunnerLock } from '../state/runner-lock.ts';
import { readSchemaHashes } from '../state/schema-record.ts';
import { discardStaleCopy } from '../steps/discard-stale-copy.ts';
import { recordSchema } from '../steps/record-schema.ts';
import { check } from './check.ts';
import { requireOpenDoor } from './closed-door.ts';
import { naming } from './each-database.ts';
import { extendPlan } from './extend-plan.ts';
import { joinWayBack } from './join-way-back.ts';
import { mendLink } from './mend-link.ts';
import { updateOwnSchema } from './own-schema.ts';
import { FIRST_STEP, LOOKS_BEFORE, SYNC_STEPS } from './phases.ts';
import { requirePrimaries } from './primaries.ts';
import { recover } from './recover.ts';
import { reviveLink } from './revive-link.ts';
import { requireRow } from './rows.ts';
import { mayRun, type Session } from './session.ts';
import { settleSchema } from './settle-schema.ts';
import { skipTransaction } from './skip-transaction.ts';
import { tellLanesStay } from './tell-lanes.ts';
import { withWalGovernor } from './wal-governor.ts';
import { requireNotGoneBack } from './went-back.ts';

export interface SyncOptions {
  /** Leave out the transaction that the target stopped at; it must be the one that finishes there. */
  readonly skipLsn?: Lsn;
}

/**
 * @throws {PrerequisiteError} `preflight_failed` before anything is created
 * @throws {LockedError} `another_runner`
 * @throws {RefusedError} `nothing_to_skip`, `not_failing_transaction`, `active_side_fenced`; while the target is active as `joinWayBack`
 * @throws {ReplicationError} `apply_stopped`, naming the row; `wal_limit_reached`, `slot_lost`: the next sync copies anew what hung on that slot;
 *   `publisher_went_back`
 */
export async function sync(session: Session, options: SyncOptions = {}): Promise<void> {
  await takeRunnerLock(session.target, session.migration);
  if (!mayRun('sync', (await session.row())?.phase ?? 'new')) return;
  await finishInterrupted(session);
  requirePrimaries(session);
  await requireOpenDoor(session);
  if ((await session.row())?.phase === 'switched') return joinNow(session, options);
  const newcomers = await beginning(session);
  for (const database of newcomers) await takeBeginningLocks(database);
  await refuseBlockers(newcomers);
  for (const database of session.databases) {
    await reconcile(FIRST_STEP, database.context());
    await createRow(database);
  }
  await session.openJournal();
  for (const database of session.databases)
    await naming(database.prefix, () => requireNotGoneBack(database, 'source'));
  for (const database of session.databases) await startOverIfStale(database);
  const row = await session.row();
  for (const database of session.databases) {
    if (row !== undefined) await mendLink(database, row);
    await reviveLink(database, row);
  }
  if (options.skipLsn !== undefined) await skip(session, options.skipLsn);
  const contexts = await planned(session);
  for (const context of contexts) await tellLanesStay(context);
  await enterSyncing(session, (await readRow(session)).phase);
  await withGovernors(contexts, async (signal) => {
    for (const [place, database] of session.databases.entries()) {
      const { prefix } = database;
      const context = contexts[place];
      if (context !== undefined) await naming(prefix, () => syncDatabase(database, { ...context, signal }));
    }
  });
  await session.changePhase((await readRow(session)).phase, 'following');
}

async function syncDatabase(database: Session, context: StepContext): Promise<void> {
  const isFirst = (await readSchemaHashes(database.target, database.migration)) === undefined;
  let current = context;
  for (const [place, step] of SYNC_STEPS.entries()) {
    if (isFirst && LOOKS_BEFORE.has(step.id))
      current = await withNewcomers(database, current, SYNC_STEPS.slice(0, place));
    await (step === recordSchema ? settleSchema(current) : reconcile(step, current));
  }
}

/** Once each time: what comes in these moments, too, is the next sync's. */
async function withNewcomers(
  database: Session,
  context: StepContext,
  steps: typeof SYNC_STEPS,
): Promise<StepContext> {
  const { plan, isExtended } = await extendPlan(database, context.plan);
  const current = { ...context, plan };
  if (isExtended) for (const step of steps) await reconcile(step, current);
  return current;
}

/** One database after the other, but the slots of all are watched, also of those that are waiting or through. */
async function withGovernors(
  [first, ...rest]: readonly StepContext[],
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  if (first === undefined) return;
  await withWalGovernor(first, (signal) =>
    rest.length === 0
      ? work(signal)
      : withGovernors(
          rest.map((context) => ({ ...context, signal })),
          work,
        ),
  );
}

/** Databases that other migrations cannot see yet: all of them, or those that joined since. */
async function beginning(session: Session): Promise<Session[]> {
  const found: Session[] = [];
  for (const database of session.databases) if (await isUnseen(database)) found.push(database);
  return found;
}

/** Also where a first sync died before it published anything: what began on the source since does not know of it. */
async function isUnseen(database: Session): Promise<boolean> {
  const row = await database.row();
  if (row === undefined || row.phase === 'new' || row.plan === undefined) return true;
  if (row.phase !== 'syncing') return false;
  return (await existingLanes(database.source, database.migration, 'forward')).length === 0;
}

/** What each database's steps work with. */
async function planned(session: Session): Promise<StepContext[]> {
  const contexts: StepContext[] = [];
  await recordJoining(session);
  for (const database of session.databases) {
    const { plan } = await readRow(database);
    contexts.push(
      database.context(
        plan === undefined ? await makePlan(database) : (await extendPlan(database, plan)).plan,
      ),
    );
  }
  return contexts;
}

/** No cutover may begin before a database that joins is copied, also when this run is killed in between. */
async function recordJoining(session: Session): Promise<void> {
  const { phase, plan } = await readRow(session);
  if (plan === undefined || (plan.otherDatabases ?? []).length === session.others.length) return;
  if (phase === 'following') await session.changePhase(phase, 'syncing');
  await savePlan(session.target, session.migration, session.withOthers(plan));
}

/** @throws {RefusedError} `nothing_to_skip`, `not_failing_transaction`: in none of the databases */
async function skip(session: Session, lsn: Lsn): Promise<void> {
  const refusals: unknown[] = [];
  for (const database of session.databases) {
    try {
      return await skipTransaction(database.context(), lsn);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      refusals.push(error);
    }
  }
  throw refusals.find((error) => (error as RefusedError).code === 'not_failing_transaction') ?? refusals[0];
}

/** A cutover that was interrupted may have moved the active side: nothing on the target may be touched before that is settled. */
async function finishInterrupted(session: Session): Promise<void> {
  if ((await session.row())?.switchover === undefined) return;
  await session.openJournal();
  await using traffic = session.openTraffic();
  await recover(session, traffic);
}

/** The source copies from the target then: nothing else of sync may run. */
async function joinNow(session: Session, { skipLsn }: SyncOptions): Promise<void> {
  if (skipLsn !== undefined)
    throw new RefusedError('wrong_phase', '"sync --skip-lsn" is not possible while the target is active', {
      hint: 'Take away the row that stands in the way: pgglide status tells how.',
    });
  await session.openJournal();
  const row = await requireRow(session, 'sync');
  await updateOwnSchema(session);
  for (const database of session.databases) await mendLink(database, row);
  await joinWayBack(session, row);
}

/** While it is being copied anew, no cutover may begin: the phase goes back first. */
async function startOverIfStale(session: Session): Promise<void> {
  // The active side's data is no copy; after a cutover the forward slots are gone, and all of it would look stale.
  const { activeSide, plan } = await readRow(session);
  if (activeSide !== 'source') return;
  if (plan !== undefined) await forgetUnplanned(session.target, session.migration, plan.tables);
  const context = session.context();
  if ((await discardStaleCopy.observe(context)).satisfied) return;
  const { phase } = await readRow(session);
  await session.changePhase(phase, 'syncing');
  await reconcile(discardStaleCopy, context);
}

async function refuseBlockers(databases: readonly Session[]): Promise<void> {
  const [first] = databases;
  if (first === undefined) return;
  const blockers = (await check(first.lead, databases)).filter((finding) => finding.severity === 'blocker');
  if (blockers.length === 0) return;
  const lines = blockers.map(({ id, title, object }) => `${id} ${title}${object ? ` (${object})` : ''}`);
  throw new PrerequisiteError(
    'preflight_failed',
    `The check found ${blockers.length} blocker(s): ${lines.join('; ')}`,
    {
      hint: 'pgglide check shows each with the SQL that mends it. Nothing was created.',
      facts: { blockers },
    },
  );
}

async function createRow(session: Session): Promise<void> {
  const { source, target } = session.identities;
  await createMigration(session.target, {
    name: session.migration,
    sourceSystemIdentifier: source.systemIdentifier,
    targetSystemIdentifier: target.systemIdentifier,
  });
}

async function readRow(session: Session): Promise<MigrationRow> {
  const row = await session.row();
  if (row === undefined) throw new Error('The migration’s row vanished');
  return row;
}

async function makePlan(session: Session): Promise<Plan> {
  const tables = await planMigration(session.source, session.target, session.settings.scope);
  const plan = session.withOthers(tables);
  await savePlan(session.target, session.migration, plan);
  return plan;
}

async function enterSyncing(session: Session, phase: Phase): Promise<void> {
  if (phase === 'new' || phase === 'aborted') await session.changePhase(phase, 'syncing');
}
