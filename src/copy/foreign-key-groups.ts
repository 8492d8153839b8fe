/** Tables that must be emptied and filled together. Pure. */

import { qualified, type TableName } from '../domain/names.ts';

interface Referring extends TableName {
  /** qualified() names; those outside the list do not count. */
  readonly references: readonly string[];
}

/** Tables joined by foreign keys, directly or by way of others, are in one group; order is kept. */
export function foreignKeyGroups<Table extends Referring>(tables: readonly Table[]): Table[][] {
  let groups: Table[][] = [];
  for (const table of tables) {
    const joined = groups.filter((group) => group.some((other) => isJoined(table, other)));
    groups = groups.filter((group) => !joined.includes(group));
    groups.push([...joined.flat(), table]);
  }
  return groups;
}

const isJoined = (a: Referring, b: Referring): boolean =>
  a.references.includes(qualified(b)) || b.references.includes(qualified(a));
