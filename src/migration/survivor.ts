/** What the other server says where one cannot be reached: which side is active, what WAL it keeps meanwhile, and the way out. */

import { UnreachableError } from '../domain/errors.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import { formatBytes } from '../observers/quantity.ts';
import type { Connection } from '../postgres/connection.ts';
import { existingLanes } from '../postgres/lane.ts';
import { slotState } from '../postgres/replication-slot.ts';
import { readMigration } from '../state/migration-row.ts';

const FLAG: Readonly<Record<Side, string>> = {
  source: 'pgglide complete --source-lost',
  target: 'pgglide abort --target-lost',
};

/** The error of a server that cannot be reached, with what the other one says and the way out. */
export async function withSurvivor(
  error: unknown,
  lost: Side,
  survivor: Connection,
  migration: string,
): Promise<unknown> {
  if (!(error instanceof UnreachableError) || error.code !== 'server_unreachable') return error;
  const state = await survivorState(otherSide(lost), survivor, migration).catch(() => undefined);
  if (state === undefined) return error;
  const { message, hint, facts } = error;
  const wayOut = `If the ${lost} is gone for good: ${FLAG[lost]}`;
  return new UnreachableError(error.code, message, {
    hint: [hint, state, wayOut].filter(Boolean).join(' '),
    facts,
    cause: error,
  });
}

/** Undefined where it keeps nothing for the lost one. */
async function survivorState(
  side: Side,
  survivor: Connection,
  migration: string,
): Promise<string | undefined> {
  const row = side === 'target' ? await readMigration(survivor, migration) : undefined;
  if (side === 'target' && (row?.activeSide !== 'target' || row.phase === 'completed')) return undefined;
  const lanes = await existingLanes(survivor, migration, linkFrom(side));
  if (lanes.length === 0) return undefined;
  const slots = await Promise.all(lanes.map(({ slot }) => slotState(survivor, slot)));
  const kept = Math.max(...slots.map((slot) => slot?.retainedBytes ?? 0));
  const phase = row === undefined ? '' : `, is the active side (phase ${row.phase})`;
  return `The ${side} answers${phase} and keeps ${formatBytes(kept)} of WAL for the ${otherSide(side)}: watch its disk.`;
}
