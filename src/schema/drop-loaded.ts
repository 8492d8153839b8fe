/** Takes a loaded schema away again: for `abort`, and for `sync` when the copy is stale. */

import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { list, type Sql, sql, trusted } from '../postgres/sql.ts';
import { heldBack } from './held-back.ts';
import {
  type Brought,
  describeObjects,
  type LoadedObject,
  loadedObjects,
  objectTies,
} from './loaded-objects.ts';

/** For each object that somebody reads just now. */
const GIVE_UP_MS = 10_000;

export interface Loaded {
  /** Dropped in this order, with CASCADE, they take nothing of others along. */
  readonly droppable: readonly LoadedObject[];
  /** Ours, and needed by what somebody else has made; in words. */
  readonly heldBack: readonly string[];
  /** Younger than our schema and made by somebody else. */
  readonly others: readonly string[];
}

export async function findLoaded(target: Connection, brought: Brought): Promise<Loaded> {
  const found = await loadedObjects(target, brought);
  const ours = found.filter(({ isOurs }) => isOurs);
  const held = heldBack(new Set(ours.map(({ id }) => id)), await objectTies(target));
  const reasons = await describeObjects(target, [...new Set(held.values())]);
  return {
    droppable: ours.filter(({ id }) => !held.has(id)),
    heldBack: ours.flatMap(({ id, what }) => {
      const reason = held.get(id);
      return reason === undefined ? [] : [`${plain(what)}: ${reasons.get(reason)} needs it, and is not ours`];
    }),
    others: found.filter(({ isOurs }) => !isOurs).map(({ what }) => plain(what)),
  };
}

const plain = (what: string): string => what.replace(' IF EXISTS', '');

/** @returns what could not be dropped, with the server's reason */
export async function dropLoaded(target: Connection, objects: readonly LoadedObject[]): Promise<string[]> {
  const kept: string[] = [];
  for (const batch of batches(objects)) {
    if (batch.length > 1 && (await dropTogether(target, batch))) continue;
    for (const object of batch) {
      await withBriefLock(target, dropSql(object), { timeoutMs: GIVE_UP_MS, outwaitsVacuum: true }).catch(
        (error: Error) => {
          kept.push(`target: ${plain(object.what)}: ${error.message}`);
        },
      );
    }
  }
  return kept;
}

/** A transaction for each would cost more than the objects do: each scans the server's whole buffer cache. */
const BATCH = 50;

function batches(objects: readonly LoadedObject[]): LoadedObject[][] {
  const all: LoadedObject[][] = [];
  for (const object of objects) {
    const last = all.at(-1);
    const fits = last !== undefined && last.length < BATCH && object.isSmall && last[0]?.isSmall === true;
    if (fits) last.push(object);
    else all.push([object]);
  }
  return all;
}

/** False when the server refuses one of them, and none is dropped. */
async function dropTogether(target: Connection, batch: readonly LoadedObject[]): Promise<boolean> {
  try {
    await withBriefLock(target, list(batch.map(dropSql), '; '), { timeoutMs: 0, outwaitsVacuum: true });
    return true;
  } catch (error) {
    if (target.lost !== undefined) throw error;
    return false;
  }
}

const dropSql = ({ what }: LoadedObject): Sql => sql`DROP ${trusted(what)} CASCADE`;
