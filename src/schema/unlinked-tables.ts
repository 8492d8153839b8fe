/** Tables that both sides have and no link carries: what is written to them would stay where it was written. */

import { linkFrom, qualified, type Side, type TableName } from '../domain/names.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { isLinked, linkedTables } from '../postgres/linked-tables.ts';
import { excludedTables, presentOn } from '../postgres/present.ts';
import { carriedTables } from './plan-tables.ts';

export interface LinkEnds {
  readonly migration: string;
  readonly from: Side;
  readonly oldSide: Connection;
  readonly newSide: Connection;
  readonly settings: { readonly scope: Scope };
  /** The planned ones. */
  readonly tables: readonly TableName[];
}

/** Planned ones, and those of the active side's scope, without what it leaves out by name. What one side alone has is the schema's drift. */
export async function unlinkedTables(ends: LinkEnds): Promise<TableName[]> {
  const { migration, from, oldSide, newSide, settings, tables } = ends;
  const [inScope, excluded, link] = await Promise.all([
    carriedTables(oldSide, settings.scope),
    excludedTables(oldSide, settings.scope),
    linkedTables(oldSide, newSide, migration, linkFrom(from)),
  ]);
  const wanted = new Map([...inScope, ...tables].map((table) => [qualified(table), table]));
  const unlinked = [...wanted.values()].filter(
    (table) => !isLinked(link, table) && !excluded.has(qualified(table)),
  );
  if (unlinked.length === 0) return [];
  const [onOld, onNew] = await Promise.all([presentOn(oldSide, unlinked), presentOn(newSide, unlinked)]);
  return unlinked.filter((table) => onOld.has(qualified(table)) && onNew.has(qualified(table)));
}
