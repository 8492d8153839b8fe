/** The preflight: what would stop a migration, and the SQL that mends it. Leaves nothing behind. */

import type { Finding } from '../domain/finding.ts';
import { preflight } from '../domain/preflight/preflight.ts';
import { inspectServers } from '../postgres/inspection/inspect.ts';
import { tryInScratchDatabase } from '../postgres/inspection/scratch.ts';
import { dumpSchema } from '../schema/dump-schema.ts';
import { checkTraffic } from './check-traffic.ts';
import type { Session } from './session.ts';

/** Thousands of tables take longer to load than one waits for a check; what was not tried is said. */
const SCRATCH_BUDGET_MS = 5000;

/**
 * Before the first sync the source's schema is also loaded into a scratch database of the target, so that what does
 * not load on the new version is found before anything is created.
 */
export async function check(session: Session): Promise<Finding[]> {
  const { source, target, migration, settings } = session;
  const facts = await inspectServers({ source, target, migration, scope: settings.scope });
  const findings = [
    ...preflight(facts, { jobs: settings.copy.jobs }),
    ...(await checkTraffic(() => session.openTraffic())),
  ];
  const phase = (await session.row())?.phase ?? 'new';
  const isBlocked = findings.some((finding) => finding.severity === 'blocker');
  if (isBlocked || (phase !== 'new' && phase !== 'aborted')) return findings;
  return [...findings, ...(await scratchFindings(session))];
}

async function scratchFindings({ settings, signal }: Session): Promise<Finding[]> {
  const statements = await dumpSchema(settings.source, { ...settings.scope, signal });
  return tryInScratchDatabase(settings.target, statements, { budgetMs: SCRATCH_BUDGET_MS, signal });
}
