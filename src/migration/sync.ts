/** Copy, then follow. The same command again goes on where it stopped. */

import { PrerequisiteError } from '../domain/errors.ts';
import type { Lsn } from '../domain/lsn.ts';
import type { Phase } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import { reconcile } from '../engine/reconcile.ts';
import { planTables } from '../schema/plan-tables.ts';
import { createMigration, type MigrationRow, savePlan } from '../state/migration-row.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { discardStaleCopy } from '../steps/discard-stale-copy.ts';
import { skipTransaction } from '../steps/skip-transaction.ts';
import { withWalGovernor } from '../steps/wal-governor.ts';
import { check } from './check.ts';
import { extendPlan } from './extend-plan.ts';
import { FIRST_STEP, SYNC_STEPS } from './phases.ts';
import { recover } from './recover.ts';
import { mayRun, type Session } from './session.ts';

export interface SyncOptions {
  /** Leave out the transaction that the target stopped at; it must be the one that finishes there. */
  readonly skipLsn?: Lsn;
}

/**
 * @throws {PrerequisiteError} `preflight_failed` before anything is created
 * @throws {LockedError} `another_runner`
 * @throws {RefusedError} `nothing_to_skip`, `not_failing_transaction`
 * @throws {ReplicationError} `apply_stopped`, naming the row; `wal_limit_reached`, `slot_lost`: the next sync copies anew what hung on that slot
 */
export async function sync(session: Session, options: SyncOptions = {}): Promise<void> {
  await takeRunnerLock(session.target, session.migration);
  const before = await session.row();
  if (!mayRun('sync', before?.phase ?? 'new')) return;
  if (before === undefined || before.phase === 'new') await refuseBlockers(session);
  await reconcile(FIRST_STEP, session.context());
  if (before === undefined) await createRow(session);
  await session.openJournal();
  if (before?.switchover !== undefined && !(await isUndone(session))) return;
  await startOverIfStale(session);
  if (options.skipLsn !== undefined) await skipTransaction(session.context(), options.skipLsn);
  const row = await readRow(session);
  const plan = row.plan === undefined ? await makePlan(session) : (await extendPlan(session, row.plan)).plan;
  await enterSyncing(session, row.phase);
  const context = session.context(plan);
  await withWalGovernor(context, async (signal) => {
    for (const step of SYNC_STEPS) await reconcile(step, { ...context, signal });
  });
  await session.changePhase((await readRow(session)).phase, 'following');
}

/**
 * A cutover that was interrupted may have moved the active side: nothing on the target may be touched before that is settled.
 * @throws {RefusedError} `wrong_phase` when it had
 */
async function isUndone(session: Session): Promise<boolean> {
  await using traffic = session.openTraffic();
  await recover(session, traffic);
  return mayRun('sync', (await readRow(session)).phase);
}

/** While it is being copied anew, no cutover may begin: the phase goes back first. */
async function startOverIfStale(session: Session): Promise<void> {
  const context = session.context();
  if ((await discardStaleCopy.observe(context)).satisfied) return;
  const { phase } = await readRow(session);
  await session.changePhase(phase, 'syncing');
  await reconcile(discardStaleCopy, context);
}

async function refuseBlockers(session: Session): Promise<void> {
  const blockers = (await check(session)).filter((finding) => finding.severity === 'blocker');
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
  const plan = await planTables(session.source, session.settings.scope);
  await savePlan(session.target, session.migration, plan);
  return plan;
}

async function enterSyncing(session: Session, phase: Phase): Promise<void> {
  if (phase === 'new' || phase === 'aborted') await session.changePhase(phase, 'syncing');
}
