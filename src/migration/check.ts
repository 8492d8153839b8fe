/** The preflight: what would stop a migration, and the SQL that mends it. Leaves nothing behind. */

import { allEnded } from '../base/async.ts';
import type { Finding } from '../domain/finding.ts';
import { mergeFindings } from '../domain/merge-findings.ts';
import { otherSide, SIDES } from '../domain/names.ts';
import type { PreflightFacts, ServerFacts } from '../domain/preflight/facts.ts';
import { preflight } from '../domain/preflight/preflight.ts';
import { inspectServers } from '../postgres/inspection/inspect.ts';
import { tryLink } from '../postgres/inspection/link-trial.ts';
import { tryInScratchDatabase } from '../postgres/inspection/scratch.ts';
import { dumpForTarget } from '../schema/dump-for-target.ts';
import type { SchemaStatement } from '../schema/statement.ts';
import { checkTraffic } from './check-traffic.ts';
import type { Session } from './session.ts';

/** Thousands of tables take longer to load than one waits for a check: what was not tried by then is said. */
const CHECK_TIME_MS = 7_000;
/** However long the rest took. */
const LEAST_SCRATCH_MS = 500;

/**
 * Before the first sync each server also tries to connect to the other as its subscription will, and the source's schema is loaded
 * into a scratch database of the target, so that what does not load on the new version is found before anything is created.
 */
export async function check(
  session: Session,
  databases: readonly Session[] = session.databases,
): Promise<Finding[]> {
  const endMs = performance.now() + CHECK_TIME_MS * databases.length;
  const looks: Look[] = [];
  const needless = new AbortController();
  try {
    for (const database of databases) looks.push(await look(database, needless.signal));
    const found: Finding[][] = [];
    for (const one of looks) found.push(await judge(one, looks, endMs));
    return [...mergeFindings(found), ...(await checkTraffic(() => session.openTraffic()))];
  } finally {
    needless.abort(new Error('A finding made the dump needless'));
    await Promise.allSettled(looks.map(({ dump }) => dump));
  }
}

interface Look {
  readonly session: Session;
  readonly facts: PreflightFacts;
  /** Nothing of this database has been moved yet. */
  readonly isNew: boolean;
  /** Under way where nothing has been moved. Rejects when it turns out to be needless. */
  readonly dump: Promise<readonly SchemaStatement[]> | undefined;
}

async function look(session: Session, needless: AbortSignal): Promise<Look> {
  const { migration, settings } = session;
  const row = await session.row();
  const migrationPhase = row?.plan === undefined ? 'new' : row.phase;
  const isNew = migrationPhase === 'new' || migrationPhase === 'aborted';
  // Beside the inspection, because it takes as long; a blocker makes it needless.
  const dump = isNew ? dumpBeside(session, needless) : undefined;
  const inspected = await inspectServers({
    source: session.source,
    target: session.target,
    migration,
    scope: settings.scope,
  });
  const elsewhere = new Set(session.databases.map(({ database }) => database));
  elsewhere.delete(session.database);
  const source = withoutSlotsOf(elsewhere, inspected.source);
  // The phase is the lead's to know.
  const target = { ...withoutSlotsOf(elsewhere, inspected.target), migrationPhase };
  return { session, facts: { ...inspected, source, target }, isNew, dump };
}

/** Judged with their own database, where it is known whether they are ours. */
const withoutSlotsOf = <Facts extends ServerFacts>(databases: ReadonlySet<string>, server: Facts): Facts => ({
  ...server,
  slots: server.slots.filter(({ database }) => database === undefined || !databases.has(database)),
});

/** What a server has a fixed number of must do for all databases together. */
async function judge(one: Look, all: readonly Look[], endMs: number): Promise<Finding[]> {
  const { session, facts } = one;
  const elsewhere = all.filter((other) => other.session !== session);
  const findings = preflight(facts, {
    jobs: session.settings.copy.jobs,
    lanes: session.settings.replication.lanes,
    databases: 1 + elsewhere.filter((other) => other.isNew).length,
    tablesElsewhere: elsewhere.reduce((sum, other) => sum + other.facts.source.objects.tables.length, 0),
  });
  const isBlocked = findings.some((finding) => finding.severity === 'blocker');
  const tried = isBlocked ? [] : [...(await linkFindings(one, all)), ...(await scratchFindings(one, endMs))];
  const { prefix, database } = session;
  return [...findings, ...tried].map((finding) => (prefix === '' ? finding : { ...finding, database }));
}

/** The databases of a server are reached alike: one of them tells. */
async function linkFindings({ session, isNew }: Look, [first]: readonly Look[]): Promise<Finding[]> {
  if (!isNew || session !== first?.session) return [];
  const { linkConninfo } = session.context();
  const tried = SIDES.map(async (publisher) => {
    await using subscriber = await session.open(otherSide(publisher), 'link trial');
    return await tryLink(subscriber, { publisher, conninfo: linkConninfo[publisher] });
  });
  return (await allEnded(tried)).flat();
}

async function scratchFindings({ session, dump }: Look, endMs: number): Promise<Finding[]> {
  if (dump === undefined) return [];
  const { settings, signal } = session;
  const statements = await dump;
  const budgetMs = Math.max(LEAST_SCRATCH_MS, endMs - performance.now());
  return tryInScratchDatabase(settings.target, statements, { budgetMs, signal });
}

function dumpBeside(
  { source, target, settings, signal }: Session,
  needless: AbortSignal,
): Promise<SchemaStatement[]> {
  const dump = dumpForTarget({ source, target }, settings.source, {
    ...settings.scope,
    signal: AbortSignal.any([signal, needless]),
  });
  dump.catch(() => undefined);
  return dump;
}
