/** Copy, then follow. The same command again goes on where it stopped. */

import { PrerequisiteError } from '../domain/errors.ts';
import type { Phase } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import { reconcile } from '../engine/reconcile.ts';
import { planTables } from '../schema/plan-tables.ts';
import { createMigration, type MigrationRow, savePlan } from '../state/migration-row.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { check } from './check.ts';
import { FIRST_STEP, SYNC_STEPS } from './phases.ts';
import { mayRun, type Session } from './session.ts';

/**
 * @throws {PrerequisiteError} `preflight_failed` before anything is created
 * @throws {LockedError} `another_runner`
 */
export async function sync(session: Session): Promise<void> {
  await takeRunnerLock(session.target, session.migration);
  const before = await session.row();
  if (!mayRun('sync', before?.phase ?? 'new')) return;
  if (before === undefined || before.phase === 'new' || before.phase === 'aborted')
    await refuseBlockers(session);
  await reconcile(FIRST_STEP, session.context());
  const row = before ?? (await createRow(session));
  await session.openJournal();
  const plan = row.plan ?? (await makePlan(session));
  await enterSyncing(session, row.phase);
  const context = session.context(plan);
  for (const step of SYNC_STEPS) await reconcile(step, context);
  await session.changePhase(row.phase === 'following' ? 'following' : 'syncing', 'following');
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

async function createRow(session: Session): Promise<MigrationRow> {
  const { source, target } = session.identities;
  await createMigration(session.target, {
    name: session.migration,
    sourceSystemIdentifier: source.systemIdentifier,
    targetSystemIdentifier: target.systemIdentifier,
  });
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
