/** Where a proxy that starts sends its clients, or that it cannot tell. Pure. */

import type { Side } from '../domain/names.ts';
import type { Direction } from './options.ts';
import type { KeptDirection } from './state-file.ts';

export interface Known {
  /** What the target said: the migration's row, that it has no migration, or nothing that could be read. */
  readonly row: Direction | 'no-migration' | 'unreadable';
  /** Undefined: there is no state file. In words: there is one that says nothing. */
  readonly kept: KeptDirection | 'blank' | 'other-servers' | undefined;
  /** What the operator vouches for where nobody else can tell. */
  readonly assumed: Side | undefined;
}

/**
 * The row is the truth. The state file is what we last knew, unless a switch was under way then. Where there has never
 * been a migration, the source is what there is. Undefined: the other side might be the active one, so serve nobody.
 */
export function startingDirection({ row, kept, assumed }: Known): Direction | undefined {
  if (typeof row === 'object') return row;
  const last = typeof kept === 'string' ? undefined : kept;
  if (last !== undefined && !last.isSwitching) return { side: last.side, epoch: last.epoch };
  if (assumed !== undefined) return { side: assumed, epoch: last?.epoch ?? 0 };
  // A switch was begun and then the migration was taken away, or servers have other names now, or the file was lost: either side may be in use.
  if (kept !== undefined) return undefined;
  return row === 'no-migration' ? { side: 'source', epoch: 0 } : undefined;
}
