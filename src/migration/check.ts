/** The preflight: what would stop a migration, and the SQL that mends it. Leaves nothing behind. */

import type { Finding } from '../domain/finding.ts';
import { mergeFindings } from '../domain/merge-findings.ts';
import type { PreflightFacts, ServerFacts } from '../domain/preflight/facts.ts';
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
export async function check(
  session: Session,
  databases: readonly Session[] = session.databases,
): Promise<Finding[]> {
  const looks: Look[] = [];
  for (const database of databases) looks.push(await look(database));
  const found: Finding[][] = [];
  for (const one of looks) found.push(await judge(one, looks));
  return [...mergeFindings(found), ...(await checkTraffic(() => session.openTraffic()))];
}

interface Look {
  readonly session: Session;
  readonly facts: PreflightFacts;
  /** Nothing of this database has been moved yet. */
  readonly isNew: boolean;
}

async function look(session: Session): Promise<Look> {
  const { migration, settings } = session;
  const inspected = await inspectServers({
    source: session.source,
    target: session.target,
    migration,
    scope: settings.scope,
  });
  const row = await session.row();
  const migrationPhase = row?.plan === undefined ? 'new' : row.phase;
  const isNew = migrationPhase === 'new' || migrationPhase === 'aborted';
  const elsewhere = new Set(session.databases.map(({ database }) => database));
  elsewhere.delete(session.database);
  const source = withoutSlotsOf(elsewhere, inspected.source);
  // The phase is the lead's to know.
  const target = { ...withoutSlotsOf(elsewhere, inspected.target), migrationPhase };
  return { session, facts: { ...inspected, source, target }, isNew };
}

/** Judged with their own database, where it is known whether they are ours. */
const withoutSlotsOf = <Facts extends ServerFacts>(databases: ReadonlySet<string>, server: Facts): Facts => ({
  ...server,
  slots: server.slots.filter(({ database }) => database === undefined || !databases.has(database)),
});

/** What a server has a fixed number of must do for all databases together. */
async function judge({ session, facts, isNew }: Look, all: readonly Look[]): Promise<Finding[]> {
  const elsewhere = all.filter((other) => other.session !== session);
  const findings = preflight(facts, {
    jobs: session.settings.copy.jobs,
    databases: 1 + elsewhere.filter((other) => other.isNew).length,
    tablesElsewhere: elsewhere.reduce((sum, other) => sum + other.facts.source.objects.tables.length, 0),
  });
  const isBlocked = findings.some((finding) => finding.severity === 'blocker');
  const tried = isBlocked || !isNew ? [] : await scratchFindings(session);
  const { prefix, database } = session;
  return [...findings, ...tried].map((finding) => (prefix === '' ? finding : { ...finding, database }));
}

async function scratchFindings({ settings, signal }: Session): Promise<Finding[]> {
  const statements = await dumpSchema(settings.source, { ...settings.scope, signal });
  return tryInScratchDatabase(settings.target, statements, { budgetMs: SCRATCH_BUDGET_MS, signal });
}
