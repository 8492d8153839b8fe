/** What is about to be emptied on the passive side, so that the link fills it, must hold nothing of anybody else's. */

import { RefusedError } from '../domain/errors.ts';
import { otherSide, qualified, type Side, type TableName } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import { AS_APPLY_WORKER_LOCAL, fencedRelations } from '../postgres/fence.ts';
import { hasRows, presentOn } from '../postgres/present.ts';
import { ident } from '../postgres/sql.ts';
import { copiedAside } from '../state/aside-table.ts';
import { findStrayRows } from '../verify/stray-rows.ts';
import type { Session } from './session.ts';

/**
 * Reads only. Rows that stand on the active side just so may go (seed data that was put on both), and those of a table on which
 * our fence hangs: a partition that was detached, which the link has filled; and of one that was unlogged and copied aside.
 *
 * @throws {RefusedError} `rows_on_passive_side`
 */
export async function refuseStrayRows(
  session: Session,
  passive: Side,
  tables: readonly PlannedTable[],
): Promise<void> {
  const { settings, signal } = session;
  const filled = await filledByOthers(session, passive, tables);
  if (filled.length === 0) return;
  const found = await findStrayRows({
    source: settings.source,
    target: settings.target,
    passive,
    tables: filled,
    signal,
  });
  if (found.length === 0) return;
  const active = otherSide(passive);
  const names = found.map(({ table, count }) => `${qualified(table)} (${count} rows or more)`);
  throw new RefusedError(
    'rows_on_passive_side',
    `On the ${passive} these tables hold rows that the ${active} does not have, and none that pgglide copied: ${names.join(', ')}`,
    {
      hint: `They are to be filled from the ${active}. Bring the rows over, or take them away on the ${passive} (BEGIN; ${AS_APPLY_WORKER_LOCAL.text}; DELETE FROM ...; COMMIT), then the same command again. Or leave the tables out with scope.exclude.`,
      facts: { side: passive, tables: found.map(({ table, count }) => ({ table: qualified(table), count })) },
    },
  );
}

/** Of these, what holds rows on the passive side that may be somebody else's. */
export async function filledByOthers<Table extends TableName>(
  session: Session,
  passive: Side,
  tables: readonly Table[],
): Promise<Table[]> {
  const connection = session.side(passive);
  const [present, aside] = [
    await presentOn(connection, tables),
    await copiedAside(session.target, session.migration),
  ];
  const filled: Table[] = [];
  for (const table of tables) {
    if (!present.has(qualified(table)) || aside.has(qualified(table))) continue;
    const relations = await fencedRelations(connection, [table]);
    if (relations.every(({ trigger }) => trigger === 'closed')) continue;
    if (await hasRows(connection, ident(table.schema, table.name))) filled.push(table);
  }
  return filled;
}
