/** After a failover a server's name may lead to a standby. Nothing can be changed there, and each statement of ours would fail for itself. */

import { PrerequisiteError } from '../domain/errors.ts';
import { SIDES, type Side } from '../domain/names.ts';
import type { Session } from './session.ts';

/** As it was when the command connected. */
export const standbySides = ({ identities }: Pick<Session, 'identities'>): Side[] =>
  SIDES.filter((side) => identities[side].isStandby);

export const standbyText = (session: Session, side: Side): string =>
  `the ${side} (${session.describe(side)}) is a standby: it takes no writes`;

/** After what a run that broke off has left is seen to: traffic must not wait for a failover. @throws {PrerequisiteError} `server_is_standby` */
export function requirePrimaries(session: Session): void {
  const [side] = standbySides(session);
  if (side === undefined) return;
  const text = standbyText(session, side);
  throw new PrerequisiteError('server_is_standby', `${text.charAt(0).toUpperCase()}${text.slice(1)}`, {
    hint: `Name the primary of its cluster as the ${side}, or wait for the failover to end. Nothing was changed.`,
    facts: { side },
  });
}
