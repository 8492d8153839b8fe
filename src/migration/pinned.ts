/**
 * The exact comparison after a switch, inside the snapshots that were pinned in its pause. The application works meanwhile:
 * one session a side, and not at once.
 */

import { sleep } from '../base/async.ts';
import { shrinkHeap } from '../base/small-heap.ts';
import type { VerificationSummary } from '../domain/event.ts';
import type { Side } from '../domain/names.ts';
import type { Switchover, SwitchoverContext } from '../engine/switchover-step.ts';
import { serverRun } from '../postgres/server-run.ts';
import { mergeVerifications, type OwnVerification } from '../verify/merge-verifications.ts';
import { rowsOnOneSide } from '../verify/rows-on-one-side.ts';
import { verifyPinned } from '../verify/verify-pinned.ts';
import type { Session } from './session.ts';

export async function verifyPinnedSnapshots(
  session: Session,
  { databases, signal, from }: Switchover,
): Promise<VerificationSummary | undefined> {
  if (databases.some(({ facts }) => facts.snapshots === undefined)) return undefined;
  await sleep(session.settings.verify.settleMs, signal);
  const found: OwnVerification[] = [];
  for (const database of databases) found.push(await verifyOne(database));
  const { summary: merged, differingRows } = mergeVerifications(found);
  const summary = { ...merged, followerRun: await serverRun(session.side(from)) };
  await session.events.emit('verification-finished', summary);
  const alone = rowsOnOneSide(differingRows);
  if (alone.length > 0) await warnOfRows(session, alone, from);
  return summary;
}

/** They may be the last of their kind, and what was the way to carry them over before the switch deletes them behind it. */
const warnOfRows = ({ events }: Session, alone: readonly string[], passive: Side): Promise<void> =>
  events.emit('warning', {
    code: 'switched_with_differences',
    message: `One side alone has rows, at least ${alone.join('; ')}`,
    hint: `Save those of the ${passive} first if they are wanted: pgglide verify --repair makes the ${passive} what the other side is.`,
  });

async function verifyOne(context: SwitchoverContext): Promise<OwnVerification> {
  const { settings, facts, plan, events, signal } = context;
  const { source, target, verify } = settings;
  // Of thousands of tables the switch has left as much behind as the comparison is about to need.
  shrinkHeap();
  const verification = await verifyPinned({
    source: { address: source, snapshot: facts.snapshots?.source ?? '' },
    target: { address: target, snapshot: facts.snapshots?.target ?? '' },
    tables: plan.tables,
    // Read back in the pause: a sequence has no snapshot.
    sequencesEqual: true,
    bits: verify.bits,
    jobs: 1,
    onProgress: (progress) => void events.emit('verify-progress', progress),
    signal,
  });
  return { database: source.database, verification };
}
