/** What the last verification found keeps a command from leaving rows behind, unless it is told to go on all the same. */

import { RefusedError } from '../domain/errors.ts';
import type { SwitchoverDirection } from '../domain/event.ts';
import {
  differsSinceSwitch,
  isLinkInDoubt,
  lastVerification,
  type Trust,
  trustIn,
  verifiedFor,
} from '../domain/last-verification.ts';
import { serverRun } from '../postgres/server-run.ts';
import { readEvents } from '../state/journal.ts';
import type { Session } from './session.ts';

const NOT_VERIFIED: Readonly<Record<Exclude<Trust, 'fresh'>, string>> = {
  never: 'no verification was made since the rows were copied or traffic moved',
  differences: 'the last verification found differences',
  restarted:
    'the target was started again since the last verification; a backup or a standby may lack what was there then, and the link does not bring it again',
  stale: 'the last verification is too old, or was made by a clock far ahead of this one',
};

/** @throws {RefusedError} `not_verified` */
export async function guardVerified(
  session: Session,
  direction: SwitchoverDirection,
  { unverified = false }: { readonly unverified?: boolean },
): Promise<void> {
  if (unverified) return;
  if (direction !== 'rehearsal') await requireNoDoubt(session);
  if (direction === 'cutover' && session.settings.cutover.requireVerified) await requireVerified(session);
  if (direction === 'rollback') await requireNoneKnown(session);
}

async function requireNoDoubt(session: Session): Promise<void> {
  if (!isLinkInDoubt(await readEvents(session.target, session.migration))) return;
  throw new RefusedError(
    'not_verified',
    'Refused: somebody had altered the link, and both sides were not compared since',
    {
      hint: 'Run pgglide verify first: it shows what is missing on the side that follows. To switch without it: --unverified',
    },
  );
}

async function requireVerified(session: Session): Promise<void> {
  const last = lastVerification(await readEvents(session.target, session.migration));
  const verified = last && verifiedFor(last, await serverRun(session.target));
  const trust = trustIn(verified, Date.now(), session.settings.verify.staleAfterMs);
  if (trust === 'fresh') return;
  throw new RefusedError('not_verified', `Cutover refused: ${NOT_VERIFIED[trust]}`, {
    hint: 'Run pgglide verify first. To switch without it: pgglide cutover --unverified',
  });
}

/**
 * Rows that are known to be on the target alone would stay there. No verification, or an old one, refuses nothing: the way
 * back must not wait for a comparison.
 */
async function requireNoneKnown(session: Session): Promise<void> {
  if (!differsSinceSwitch(await readEvents(session.target, session.migration))) return;
  throw new RefusedError('not_verified', `Rollback refused: ${NOT_VERIFIED.differences}`, {
    hint: 'Rows that the target alone has would stay behind. pgglide verify --repair TABLE brings them to the source; then pgglide verify. To roll back without them: pgglide rollback --unverified',
  });
}

/**
 * Once the way back is given up, nothing brings to the target what it is known to lack, the comparison of the switch itself included.
 *
 * @throws {RefusedError} `not_verified`
 */
export async function requireNoneToLose(session: Session): Promise<void> {
  if (lastVerification(await readEvents(session.target, session.migration))?.data.equal !== false) return;
  throw new RefusedError('not_verified', `Complete refused: ${NOT_VERIFIED.differences}`, {
    hint: 'Run pgglide verify: it shows them, and what --repair can do; or pgglide rollback. To give up the way back all the same: pgglide complete --unverified',
  });
}
