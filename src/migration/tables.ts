/** Every table of the plan with how far it is. Changes nothing and takes no lock. */

import { copiedFraction } from '../domain/copied-fraction.ts';
import { lastVerification } from '../domain/last-verification.ts';
import { qualified } from '../domain/names.ts';
import { type PlannedTable, tableBytes } from '../domain/plan.ts';
import type { TableState } from '../observers/table-state.ts';
import { runningCopies } from '../postgres/running-copy.ts';
import { readCopyProgress, type TableCopyState } from '../state/copy-progress.ts';
import { tableExists } from '../state/install.ts';
import { readEvents } from '../state/journal.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import type { Session } from './session.ts';

/** The first version that tells how far a COPY is. */
const TELLS_COPY_PROGRESS = 140_000;

export async function tables(session: Session): Promise<TableState[]> {
  const events = await readEvents(session.target, session.migration);
  const verified = lastVerification(events)?.data.tables ?? [];
  const isEqual = new Map(verified.map(({ table, equal }) => [table, equal]));
  const found: TableState[] = [];
  for (const database of session.databases) found.push(...(await tablesOf(database, isEqual)));
  return found;
}

/** As the verification names tables. */
const databasePart = (session: Session): string => (session.prefix === '' ? '' : `${session.database}.`);
async function tablesOf(session: Session, isEqual: ReadonlyMap<string, boolean>): Promise<TableState[]> {
  const row = await session.row();
  if (row?.plan === undefined) return [];
  const copied = new Map((await copyProgress(session)).map((table) => [qualified(table), table]));
  const running = new Map((await runningRows(session, row)).map((copy) => [qualified(copy), copy.rowCount]));
  return row.plan.tables.map((table) => {
    const name = databasePart(session) + qualified(table);
    const rowCount = (copied.get(qualified(table))?.rowCount ?? 0) + (running.get(qualified(table)) ?? 0);
    return {
      name,
      bytes: tableBytes(table),
      rowCount,
      fractionCopied: row.phase === 'syncing' ? fraction(table, copied.get(qualified(table)), rowCount) : 1,
      isEqual: isEqual.get(name),
    };
  });
}

const fraction = (
  { rowEstimate }: PlannedTable,
  copied: TableCopyState | undefined,
  rowCount: number,
): number => (copied === undefined ? 0 : copiedFraction({ ...copied, rowCount, rowEstimate }));

const copyProgress = async ({ target, migration }: Session): Promise<TableCopyState[]> =>
  (await tableExists(target, 'copy_table')) ? readCopyProgress(target, migration) : [];

const runningRows = async ({ target, identities }: Session, { phase }: MigrationRow) =>
  phase === 'syncing' && identities.target.versionNumber >= TELLS_COPY_PROGRESS ? runningCopies(target) : [];
