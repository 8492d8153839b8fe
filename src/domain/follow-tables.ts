/** Planned tables as they are now: renamed, changed, or gone. Pure. */

import { qualified, type Side, type TableName } from './names.ts';
import type { PlannedTable } from './plan.ts';

/** Where a planned table is now on one side. */
export interface Whereabouts extends TableName {
  readonly oid: number;
  /** Found by its oid; otherwise by its name. */
  readonly isSame: boolean;
}

/** In the order of the planned tables. */
export type Located = readonly (Whereabouts | undefined)[];

export interface Renaming {
  readonly from: TableName;
  readonly to: TableName;
}

export interface Followed {
  /** Without those that neither side has any more, though one may have another under that name. Of one that only one side has the last known is kept. */
  readonly tables: readonly PlannedTable[];
  /** Of these, those that both sides have. */
  readonly whole: readonly PlannedTable[];
  /** On both sides alike. */
  readonly renamed: readonly Renaming[];
  /** Which have another name on each side. */
  readonly torn: readonly Readonly<Record<Side, TableName>>[];
}

/** `now`: what the source's catalog says of its tables. */
export function followTables(
  planned: readonly PlannedTable[],
  located: Readonly<Record<Side, Located>>,
  now: readonly PlannedTable[],
): Followed {
  const current = new Map(now.map((table) => [qualified(table), table]));
  const [onSource, onTarget] = [unclaimed(located.source), unclaimed(located.target)];
  const tables: PlannedTable[] = [];
  const whole: PlannedTable[] = [];
  const renamed: Renaming[] = [];
  const torn: Followed['torn'][number][] = [];
  for (const [place, table] of planned.entries()) {
    const [source, target] = [onSource[place], onTarget[place]];
    if (source === undefined || target === undefined) {
      const left = source ?? target;
      // Under the name of one that we knew by more than that, and that is gone, somebody has made another.
      if (left !== undefined && (left.isSame || table.oids === undefined)) tables.push(table);
      continue;
    }
    const name = nameOf(source);
    if (qualified(name) !== qualified(target)) {
      torn.push({ source: name, target: nameOf(target) });
      continue;
    }
    // One that left the scope has no entry there, and stays what it was.
    const entry = current.get(qualified(name)) ?? { ...table, ...name };
    whole.push({ ...entry, oids: { source: source.oid, target: target.oid } });
    if (qualified(name) !== qualified(table)) renamed.push({ from: nameOf(table), to: name });
  }
  return { tables: [...tables, ...whole], whole, renamed, torn };
}

const nameOf = ({ schema, name }: TableName): TableName => ({ schema, name });

/** A name that one table gave to another is not the second one's for both. */
function unclaimed(located: Located): Located {
  const claimed = new Set(located.flatMap((found) => (found?.isSame ? [found.oid] : [])));
  return located.map((found) =>
    found === undefined || found.isSame || !claimed.has(found.oid) ? found : undefined,
  );
}
