/** `verify --repair`: single rows of the side that follows are made what they are on the active side. */

import { RefusedError, UsageError } from '../domain/errors.ts';
import { otherSide, qualified, type Side } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { repairRows } from '../verify/repair-rows.ts';
import { isOnlyOn } from '../verify/rows-on-one-side.ts';
import type { DifferingRow, Verification } from '../verify/verification.ts';
import { verifyOnline } from '../verify/verify-online.ts';
import { naming } from './each-database.ts';
import { updateOwnSchema } from './own-schema.ts';
import { requireSlots } from './revive-link.ts';
import { requirePlan, requireRow } from './rows.ts';
import type { Session } from './session.ts';
import { agreedPlan, comparisonOptions, verify } from './verify.ts';

/** Asked with the rows that are about to be overwritten on `side`; throws to leave them. */
export type ConfirmRepair = (question: {
  readonly rows: readonly DifferingRow[];
  readonly side: Side;
}) => Promise<void>;

export interface RepairOptions {
  /** After a switch: also rows that only the side that follows has. */
  readonly deleteRows?: boolean;
}

export interface RepairOutcome {
  readonly repaired: number;
  /** Of all tables, after the repair. */
  readonly verification: Verification;
}

/** One more than may be repaired, so that more is noticed. */
const MOST_ROWS = 1_000;

/**
 * @throws {UsageError} `table_not_in_plan`
 * @throws {DifferenceError} `schema_differs`: a row written anew would lose what only one side has a column for
 * @throws {RefusedError} `too_many_rows_to_repair`, `rows_busy`, `rows_on_one_side`; whatever `confirm` throws: nothing was changed
 */
export async function repair(
  session: Session,
  tableName: string,
  confirm: ConfirmRepair = async () => undefined,
  { deleteRows = false }: RepairOptions = {},
): Promise<RepairOutcome> {
  await takeRunnerLock(session.target, session.migration);
  await session.openJournal();
  const { activeSide, epoch } = await requireRow(session, 'verify');
  await updateOwnSchema(session);
  const { database, table } = await findTable(session, tableName);
  await naming(database.prefix, () => requireSlots(database, { activeSide }));
  const options = await comparisonOptions(database, activeSide, [table]);
  const { differingRows: rows } = await verifyOnline({ ...options, maxRowsShown: MOST_ROWS + 1 });
  if (rows.length === 0) return { repaired: 0, verification: await verify(session) };
  // Before the first switch only the source has taken writes: what it lacks was never acknowledged.
  if (epoch > 0 && !deleteRows) assertNoneOnlyOn(otherSide(activeSide), rows, qualified(table));
  await confirm({ rows, side: otherSide(activeSide) });
  const { repaired, stillDiffering } = await repairRows({ ...options, table, rows, maxRows: MOST_ROWS });
  await session.events.emit('warning', {
    code: 'rows_repaired',
    message: `${repaired} row(s) of ${database.prefix}${qualified(table)} on the ${otherSide(activeSide)} were overwritten with those of the ${activeSide}; ${stillDiffering.length} still differ`,
  });
  return { repaired, verification: await verify(session) };
}

/** They may have been written there while it was active, and be the last of their kind. */
function assertNoneOnlyOn(side: Side, rows: readonly DifferingRow[], table: string): void {
  const alone = rows.filter((row) => isOnlyOn(side, row));
  const [first] = alone;
  if (first === undefined) return;
  const key = first.key.map(({ name, value }) => `${name} = ${value}`).join(', ');
  throw new RefusedError(
    'rows_on_one_side',
    `${alone.length} row(s) of ${table} are on the ${side} alone, such as ${key}: a repair deletes them`,
    {
      hint: `The ${side} was the active side before: insert them on the ${otherSide(side)} if they are wanted. To delete them: --delete-rows`,
      facts: { table, side, rows: alone.length },
    },
  );
}

/** "schema.table", or "database.schema.table" where several databases move together. */
async function findTable(
  session: Session,
  name: string,
): Promise<{ readonly database: Session; readonly table: PlannedTable }> {
  const found: { database: Session; table: PlannedTable }[] = [];
  for (const database of session.databases) {
    const { plan } = await requirePlan(database);
    const { tables } = await naming(database.prefix, () => agreedPlan(database, plan));
    const table = tables.find((each) => namesOf(each, database.database).includes(name));
    if (table !== undefined) found.push({ database, table });
  }
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  const isAlone = session.others.length === 0;
  throw new UsageError(
    'table_not_in_plan',
    only === undefined ? `The migration has no table "${name}"` : `Several databases have a table "${name}"`,
    { hint: `Write it as ${isAlone ? '' : 'database.'}schema.table; pgglide plan lists them.` },
  );
}

const namesOf = (table: PlannedTable, database: string): string[] =>
  [qualified(table), `${table.schema}.${table.name}`].flatMap((name) => [name, `${database}.${name}`]);
