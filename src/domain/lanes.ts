/** How a link's tables are divided over its lanes. Pure. */

import { type LaneNames, type LinkName, laneNames, qualified, type TableName } from './names.ts';
import { type PlannedTable, tableBytes } from './plan.ts';

/** `groups`: what foreign keys or triggers tie together stays in one lane. `tables`: each table by itself. */
export type LaneDivision = 'groups' | 'tables';

export interface LanesWanted {
  readonly lanes: number;
  readonly divide: LaneDivision;
}

/** A lane that is to be made, with what it carries. */
export interface NewLane {
  readonly names: LaneNames;
  readonly tables: readonly PlannedTable[];
}

/** As `divideTables`, named and numbered from `first` on. */
export const planLanes = (
  migration: string,
  link: LinkName,
  tables: readonly PlannedTable[],
  wanted: LanesWanted,
  first = 1,
): NewLane[] =>
  divideTables(tables, wanted).map((members, place) => ({
    names: laneNames(migration, link, first + place),
    tables: members,
  }));

/** Beside the writes so far: a table that was quiet until now may not stay so. */
const SIZE_WEIGHT = 0.1;

/**
 * At most so many lanes, none without a table (one lane when there is no table at all), each with about the same share of
 * the writes so far, or of the size where no writes are known: the heaviest group first, each to the lane with the least.
 */
export function divideTables(
  tables: readonly PlannedTable[],
  { lanes, divide }: LanesWanted,
): readonly (readonly PlannedTable[])[] {
  const weigh = scale(tables);
  const groups = (divide === 'groups' ? tiedGroups(tables) : tables.map((table) => [table]))
    .map((members) => ({ members, weight: members.reduce((sum, table) => sum + weigh(table), 0) }))
    .sort((a, b) => b.weight - a.weight);
  const filled = Array.from({ length: Math.max(1, Math.min(lanes, groups.length)) }, () => ({
    weight: 0,
    members: new Set<PlannedTable>(),
  }));
  for (const { members, weight } of groups) {
    const [lightest] = [...filled].sort((a, b) => a.weight - b.weight || a.members.size - b.members.size);
    if (lightest === undefined) break;
    lightest.weight += weight;
    for (const table of members) lightest.members.add(table);
  }
  return filled.map(({ members }) => tables.filter((table) => members.has(table)));
}

function scale(tables: readonly PlannedTable[]): (table: PlannedTable) => number {
  const writes = tables.reduce((sum, { writeCount = 0 }) => sum + writeCount, 0);
  const bytes = tables.reduce((sum, table) => sum + tableBytes(table), 0);
  return (table) =>
    (table.writeCount ?? 0) / Math.max(1, writes) + (SIZE_WEIGHT * tableBytes(table)) / Math.max(1, bytes);
}

/** Tables that are tied to each other, directly or through others of the list. */
function tiedGroups(tables: readonly PlannedTable[]): PlannedTable[][] {
  const groupOf = new Map(tables.map((table) => [qualified(table), [table]]));
  for (const table of tables) {
    for (const other of table.tiedTo ?? []) {
      const [group, joining] = [groupOf.get(qualified(table)), groupOf.get(qualified(other))];
      if (group === undefined || joining === undefined || group === joining) continue;
      const [large, small] = group.length >= joining.length ? [group, joining] : [joining, group];
      large.push(...small);
      for (const member of small) groupOf.set(qualified(member), large);
    }
  }
  return [...new Set(groupOf.values())];
}

/**
 * The lanes of the way back, by number: a table that none of them carries yet goes where those go that are in one lane on the
 * way out, folded to `most` lanes (a resumed copy has more than were asked for).
 */
export function returnLanesOf(
  outLanes: readonly (readonly TableName[])[],
  carried: readonly TableName[],
  tables: readonly TableName[],
  most: number,
): ReadonlyMap<number, readonly TableName[]> {
  const known = new Set(carried.map(qualified));
  const rank = new Map(
    outLanes.flatMap((members, place) => members.map((table) => [qualified(table), place] as const)),
  );
  const added = new Map<number, TableName[]>();
  for (const table of tables) {
    if (known.has(qualified(table))) continue;
    const lane = ((rank.get(qualified(table)) ?? 0) % most) + 1;
    added.set(lane, [...(added.get(lane) ?? []), table]);
  }
  return added;
}
