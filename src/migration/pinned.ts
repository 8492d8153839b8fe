/** The exact comparison after a switch, inside the snapshots that were pinned in its pause. The application works meanwhile. */

import { sleep } from '../base/async.ts';
import type { VerificationSummary } from '../domain/event.ts';
import type { SwitchoverContext } from '../engine/switchover-step.ts';
import { verifyPinned } from '../verify/verify-pinned.ts';
import type { Session } from './session.ts';

/**
 * The new side's caches are cold in its first moments, and held requests have just been let go: the comparison, which reads
 * every row, waits until they are through and then takes one session a side. It has time, the application has not.
 */
const SETTLE_MS = 2000;

export async function verifyPinnedSnapshots(
  session: Session,
  { facts, plan, signal }: SwitchoverContext,
): Promise<VerificationSummary | undefined> {
  if (facts.snapshots === undefined) return undefined;
  const { source, target, verify } = session.settings;
  await sleep(SETTLE_MS, signal);
  const { summary } = await verifyPinned({
    source: { address: source, snapshot: facts.snapshots.source },
    target: { address: target, snapshot: facts.snapshots.target },
    tables: plan.tables,
    // Read back in the pause: a sequence has no snapshot.
    sequencesEqual: true,
    bits: verify.bits,
    jobs: 1,
    onProgress: (progress) => void session.events.emit('verify-progress', progress),
    signal,
  });
  await session.events.emit('verification-finished', summary);
  return summary;
}
