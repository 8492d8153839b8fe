/** The exact comparison after a switch, inside the snapshots that were pinned in its pause. The application works meanwhile. */

import type { VerificationSummary } from '../domain/event.ts';
import type { SwitchoverContext } from '../engine/switchover-step.ts';
import { verifyPinned } from '../verify/verify-pinned.ts';
import type { Session } from './session.ts';

export async function verifyPinnedSnapshots(
  session: Session,
  { facts, plan, signal }: SwitchoverContext,
): Promise<VerificationSummary | undefined> {
  if (facts.snapshots === undefined) return undefined;
  const { source, target, verify } = session.settings;
  const { summary } = await verifyPinned({
    source: { address: source, snapshot: facts.snapshots.source },
    target: { address: target, snapshot: facts.snapshots.target },
    tables: plan.tables,
    // Read back in the pause: a sequence has no snapshot.
    sequencesEqual: true,
    bits: verify.bits,
    jobs: verify.jobs,
    onProgress: (progress) => void session.events.emit('verify-progress', progress),
    signal,
  });
  await session.events.emit('verification-finished', summary);
  return summary;
}
