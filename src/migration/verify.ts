/** The comparison of both sides under load, before a cutover or after it. */

import { randomUUID } from 'node:crypto';
import { ReplicationError } from '../domain/errors.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import type { Plan, PlannedTable } from '../domain/plan.ts';
import { reconcile } from '../engine/reconcile.ts';
import { existingLanes } from '../postgres/lane.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { noteDdl } from '../steps/note-ddl.ts';
import { mergeVerifications, type OwnVerification } from '../verify/merge-verifications.ts';
import type { Verification } from '../verify/verification.ts';
import { type VerifyOnlineOptions, verifyOnline } from '../verify/verify-online.ts';
import { naming } from './each-database.ts';
import { freshPlan } from './fresh-plan.ts';
import { updateOwnSchema } from './own-schema.ts';
import { requireSlots, reviveLink } from './revive-link.ts';
import { requirePlan, requireRow } from './rows.ts';
import { schemaAgreement } from './schema-agreement.ts';
import type { Session } from './session.ts';
import { settleSchema } from './settle-schema.ts';

const ARRIVAL_TIMEOUT_MS = 60_000;

/**
 * @throws {DifferenceError} `schema_differs`
 * @throws {PrerequisiteError} `table_renamed`
 * @throws {ReplicationError} `slot_lost`; `link_too_slow` when a marker does not arrive: there is nothing to compare with
 */
export async function verify(session: Session): Promise<Verification> {
  await takeRunnerLock(session.target, session.migration);
  await session.openJournal();
  await requireRow(session, 'verify');
  await updateOwnSchema(session);
  const found: OwnVerification[] = [];
  for (const database of session.databases)
    found.push({
      database: database.database,
      verification: await naming(database.prefix, () => verifyDatabase(database)),
    });
  const verification = mergeVerifications(found);
  await session.events.emit('verification-finished', verification.summary);
  return verification;
}

async function verifyDatabase(session: Session): Promise<Verification> {
  const row = await requirePlan(session);
  await requireSlots(session, row);
  await reviveLink(session, row);
  await reconcile(noteDdl, session.context(row.plan));
  const { tables } = await agreedPlan(session, row.plan);
  const schema = await schemaAgreement(session, tables);
  const verification = await verifyOnline(await comparisonOptions(session, row.activeSide, tables));
  return { ...verification, summary: { ...verification.summary, schema } };
}

/** Rows are compared and overwritten only where both sides have the same columns: those that they have now. */
export async function agreedPlan(session: Session, saved: Plan): Promise<Plan> {
  await settleSchema(session.context(saved));
  return freshPlan(session, saved);
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
async function arrival(session: Session, activeSide: Side): Promise<() => Promise<void>> {
  const publisher = session.side(activeSide);
  const subscriber = session.side(otherSide(activeSide));
  const lanes = await existingLanes(publisher, session.migration, linkFrom(activeSide));
  const markers = lanes.map((lane) => lane.marker);
  return async () => {
    const token = randomUUID();
    await writeMarkers(publisher, markers, token);
    const options = { timeoutMs: ARRIVAL_TIMEOUT_MS, intervalMs: 5, signal: session.signal };
    if (await awaitMarkers(subscriber, markers, token, options)) return;
    throw new ReplicationError(
      'link_too_slow',
      'A marker did not arrive within 60 s: the sides cannot be compared',
      {
        hint: 'pgglide status tells whether the link runs and how far it is behind.',
      },
    );
  };
}
