/**
 * Neither side takes writes, and no switch is under way that would end that: the target with the migration's row was restored
 * from before the last switch, and the fences are of after it. Which side has the newest rows is not ours to guess.
 */

import { RefusedError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { Phase } from '../domain/phase.ts';
import { countRaisedFences } from '../postgres/fence.ts';
import { stillStands } from './rows.ts';
import type { Session } from './session.ts';

const OPEN_IN: ReadonlySet<Phase> = new Set(['syncing', 'following', 'switched']);

const HINT: Readonly<Record<Side, string>> = {
  source:
    "If the target was restored from a backup, restore it to its last moment instead: what it took since is there. If it is lost, the source has what the link had brought: on the source SELECT setval('pgglide.fence_state', 0), start the proxy again, then pgglide sync.",
  target:
    "If the target was restored from a backup of before a rollback, restore it to its last moment instead. If the target is to go on: on the target SELECT setval('pgglide.fence_state', 0), start the proxy again, then pgglide verify.",
};

/** The active side, when its own fence refuses its clients' writes. */
export async function closedDoor(session: Session): Promise<Side | undefined> {
  const row = await session.lead.row();
  if (row === undefined || row.switchover !== undefined || !OPEN_IN.has(row.phase)) return undefined;
  if ((await countRaisedFences(session.side(row.activeSide))) === 0) return undefined;
  return (await stillStands(session, row)) ? row.activeSide : undefined;
}

const told = (side: Side): string =>
  `the ${side} refuses writes, its fence is raised, although the migration’s row says that it is the active side: nobody can write`;

export async function closedDoorProblems(session: Session): Promise<string[]> {
  const side = await closedDoor(session);
  return side === undefined ? [] : [`${session.prefix}${told(side)}. ${HINT[side]}`];
}

/** @throws {RefusedError} `active_side_fenced` */
export async function requireOpenDoor(session: Session): Promise<void> {
  for (const database of session.databases) {
    const side = await closedDoor(database);
    if (side === undefined) continue;
    throw new RefusedError('active_side_fenced', `${database.prefix}${told(side)}`, { hint: HINT[side] });
  }
}
