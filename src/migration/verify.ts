/** The comparison of both sides under load, before a cutover or after it. */

import { randomUUID } from 'node:crypto';
import { RefusedError, ReplicationError } from '../domain/errors.ts';
import { linkFrom, otherSide, qualified, type Side } from '../domain/names.ts';
import type { Plan, PlannedTable } from '../domain/plan.ts';
import { reconcile } from '../engine/reconcile.ts';
import { refuseApplyStop } from '../postgres/apply-stop.ts';
import { hangFence, unfencedRelations } from '../postgres/fence.ts';
import { existingLanes } from '../postgres/lane.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';
import { serverRun } from '../postgres/server-run.ts';
import { unlinkedTables } from '../schema/unlinked-tables.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { noteDdl } from '../steps/note-ddl.ts';
import { mergeVerifications, type OwnVerification } from '../verify/merge-verifications.ts';
import type { Verification } from '../verify/verification.ts';
import { type VerifyOnlineOptions, verifyOnline } from '../verify/verify-online.ts';
import { naming } from './each-database.ts';
import { mendLink } from './mend-link.ts';
import { updateOwnSchema } from './own-schema.ts';
import { requirePrimaries } from './primaries.ts';
import { filledByOthers } from './refuse-stray-rows.ts';
import { renewPlan } from './renew-plan.ts';
import { requireSlots, reviveLink } from './revive-link.ts';
import { requirePlan, requireRow } from './rows.ts';
import { schemaAgreement } from './schema-agreement.ts';
import type { Session } from './session.ts';
import { settleSchema } from './settle-schema.ts';

const ARRIVAL_TIMEOUT_MS = 60_000;
/** A link that works is not behind so far as a rule. */
const LATE_MS = 2_000;

/**
 * @throws {DifferenceError} `schema_differs`
 * @throws {PrerequisiteError} `table_renamed`
 * @throws {ReplicationError} `apply_stopped`, `slot_lost`, `publisher_went_back`; `link_too_slow` when a marker does not arrive: there is nothing to compare with
 */
export async function verify(session: Session): Promise<Verification> {
  requirePrimaries(session);
  await takeRunnerLock(session.target, session.migration);
  await session.openJournal();
  const { activeSide } = await requireRow(session, 'verify');
  await updateOwnSchema(session);
  // Before anything is compared: a restart in between counts.
  const followerRun = await serverRun(session.side(otherSide(activeSide)));
  const found: OwnVerification[] = [];
  for (const database of session.databases)
    found.push({
      database: database.database,
      verification: await naming(database.prefix, () => verifyDatabase(database)),
    });
  const verification = mergeVerifications(found);
  const summary = { ...verification.summary, followerRun };
  await session.events.emit('verification-finished', summary);
  return { ...verification, summary };
}

async function verifyDatabase(session: Session): Promise<Verification> {
  const row = await requirePlan(session);
  await requireSlots(session, row);
  await mendLink(session, row);
  await reviveLink(session, row);
  await reconcile(noteDdl, session.context(row.plan));
  const { tables } = await agreedPlan(session, row.plan);
  await guardPassiveSide(session, row.activeSide, tables);
  const schema = await schemaAgreement(session, tables);
  const verification = await verifyOnline(await comparisonOptions(session, row.activeSide, tables));
  return { ...verification, summary: { ...verification.summary, schema } };
}

/**
 * What both sides have got since the last switch has no fence yet: a write that strays there would stop the link. On a table that
 * has not joined it hangs only where that is empty: rows under a fence are taken for ours. Compared is what the link carries.
 *
 * @throws {RefusedError} `still_joining`
 */
async function guardPassiveSide(
  session: Session,
  activeSide: Side,
  tables: readonly PlannedTable[],
): Promise<void> {
  const { migration, settings } = session;
  const passive = otherSide(activeSide);
  const [oldSide, newSide] = [session.side(activeSide), session.side(passive)];
  const planned = new Set(tables.map(qualified));
  const unlinked = await unlinkedTables({ migration, from: activeSide, oldSide, newSide, settings, tables });
  const filled = new Set((await filledByOthers(session, passive, unlinked)).map(qualified));
  const ours = [...tables, ...unlinked].filter((table) => !filled.has(qualified(table)));
  await hangFence(newSide, await unfencedRelations(newSide, ours));
  const open = unlinked.map(qualified).filter((name) => planned.has(name));
  if (activeSide === 'source' || open.length === 0) return;
  throw new RefusedError('still_joining', `Not replicated to the source (yet): ${open.join(', ')}`, {
    hint: 'Made anew since the cutover, or a sync that takes them in was stopped: pgglide sync brings them to the source, then pgglide verify.',
    facts: { tables: open },
  });
}

/** Rows are compared and overwritten only where both sides have the same columns: those that they have now. */
export async function agreedPlan(session: Session, saved: Plan): Promise<Plan> {
  await settleSchema(session.context(saved));
  return renewPlan(session, saved);
}

export async function comparisonOptions(
  session: Session,
  publisher: Side,
  tables: readonly PlannedTable[],
): Promise<VerifyOnlineOptions> {
  const { source, target, verify: wanted } = session.settings;
  return {
    source,
    target,
    publisher,
    tables,
    bits: wanted.bits,
    jobs: wanted.jobs,
    waitForArrival: await arrival(session, publisher),
    onProgress: (progress) => void session.databaseEvents.emit('verify-progress', progress),
    signal: session.signal,
  };
}

/** Resolves when everything committed on the active side so far shows on the other one. */
export async function arrival(session: Session, activeSide: Side): Promise<() => Promise<void>> {
  const publisher = session.side(activeSide);
  const subscriber = session.side(otherSide(activeSide));
  const lanes = await existingLanes(publisher, session.migration, linkFrom(activeSide));
  const markers = lanes.map((lane) => lane.marker);
  return async () => {
    const token = randomUUID();
    await writeMarkers(publisher, markers, token);
    const options = { intervalMs: 5, signal: session.signal };
    const look = (timeoutMs: number) => awaitMarkers(subscriber, markers, token, { ...options, timeoutMs });
    if (await look(LATE_MS)) return;
    // A link that stands still, and why, is told at once; one that is only slow is waited for.
    for (const lane of lanes) await refuseApplyStop(publisher, subscriber, lane, session.signal);
    if (await look(ARRIVAL_TIMEOUT_MS)) return;
    throw new ReplicationError(
      'link_too_slow',
      'A marker did not arrive within 60 s: the sides cannot be compared',
      {
        hint: 'pgglide status tells whether the link runs and how far it is behind.',
      },
    );
  };
}
