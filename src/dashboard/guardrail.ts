/** What a switch asks for, each met or not. Pure. */

import { formatBytes, formatDuration } from '../observers/quantity.ts';
import type { MigrationStatus, ReadinessItem } from '../observers/status.ts';

export interface Limits {
  /** Older verifications do not count. */
  readonly staleAfterMs: number;
  readonly requireVerified: boolean;
}

/** Empty while no switch is near. */
export function guardrails(status: MigrationStatus, limits: Limits): ReadinessItem[] {
  if (status.phase !== 'following' && status.phase !== 'switched') return [];
  const { link, traffic } = status;
  return [
    ...status.ready,
    verifiedItem(status, limits),
    ...(link?.retainedWalBytes === undefined || link.walLimitBytes === undefined
      ? []
      : [
          {
            name: 'WAL held',
            ok: link.retainedWalBytes < link.walLimitBytes,
            detail: `${formatBytes(link.retainedWalBytes)} of ${formatBytes(link.walLimitBytes)}`,
          },
        ]),
    ...(traffic === undefined ? [] : [{ name: 'traffic switch answers', ok: true, detail: traffic }]),
  ];
}

function verifiedItem({ verified, at }: MigrationStatus, limits: Limits): ReadinessItem {
  const name = 'verified';
  const isNeeded = limits.requireVerified;
  if (verified === undefined) return { name, ok: !isNeeded, detail: 'never' };
  const ageMs = Date.parse(at) - Date.parse(verified.at);
  const ago = `${formatDuration(Math.max(0, ageMs))} ago`;
  if (!verified.equal) return { name, ok: false, detail: `differences, ${ago}` };
  return { name, ok: !isNeeded || ageMs <= limits.staleAfterMs, detail: ago };
}
