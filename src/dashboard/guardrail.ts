/** What a switch asks for, each met or not. Pure. */

import { trustIn } from '../domain/last-verification.ts';
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
  const now = Date.parse(at);
  const trust = trustIn(verified, now, limits.staleAfterMs);
  const ok = trust === 'fresh' || (!limits.requireVerified && trust !== 'differences');
  if (verified === undefined) return { name, ok, detail: 'never' };
  const ago = `${formatDuration(Math.max(0, now - Date.parse(verified.at)))} ago`;
  return { name, ok, detail: verified.equal ? ago : `differences, ${ago}` };
}
