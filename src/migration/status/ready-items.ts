/** What a switch would wait for, or refuse. */

import { otherSide, qualified, type Side } from '../../domain/names.ts';
import { stayingHolders } from '../../domain/readiness.ts';
import type { MigrationStatus, ReadinessItem } from '../../observers/status.ts';
import { longTransactions, preparedTransactions } from '../../postgres/activity.ts';
import { lockHolders } from '../../postgres/table-locks.ts';
import { unlinkedTables } from '../../schema/unlinked-tables.ts';
import { type DatabaseState, inAll } from './database-state.ts';

const LONG_TRANSACTION_MS = 1000;

export async function readyItems(
  databases: readonly DatabaseState[],
  activeSide: Side,
  schemaChanges: MigrationStatus['schemaChanges'],
): Promise<ReadinessItem[]> {
  const [long, holders, prepared] = await Promise.all([
    inAll(databases, ({ session }) => longTransactions(session.side(activeSide), LONG_TRANSACTION_MS)),
    inAll(databases, ({ session, row }) =>
      lockHolders(session.side(activeSide), row?.plan?.tables ?? [], LONG_TRANSACTION_MS),
    ),
    inAll(databases, ({ session }) => preparedTransactions(session.side(activeSide))),
  ]);
  const locked = stayingHolders(holders, long);
  const unlinked = await inAll(databases, ({ session, row }) =>
    unlinkedTables({
      migration: session.migration,
      from: activeSide,
      oldSide: session.side(activeSide),
      newSide: session.side(otherSide(activeSide)),
      settings: session.settings,
      tables: row?.plan?.tables ?? [],
    }),
  );
  const linkRuns = databases.every(
    ({ lanes }) => lanes.length > 0 && lanes.every((lane) => lane.subscription?.isRunning ?? false),
  );
  const isAltered = databases.some(({ lanes }) => lanes.some(({ altered }) => altered.length > 0));
  return [
    { name: 'link runs', ok: linkRuns },
    ...(isAltered ? [{ name: 'link as it was made', ok: false }] : []),
    {
      name: 'long transactions',
      ok: long.length === 0,
      ...(long.length > 0 ? { detail: `${long.length}` } : {}),
    },
    {
      name: 'long locks',
      ok: locked.length === 0,
      ...(locked.length > 0
        ? { detail: locked.map(({ table, pid }) => `${table} by pid ${pid}`).join(', ') }
        : {}),
    },
    { name: 'prepared transactions', ok: prepared.length === 0 },
    {
      name: 'tables replicated',
      ok: unlinked.length === 0,
      ...(unlinked.length > 0 ? { detail: `not ${unlinked.map(qualified).join(', ')}` } : {}),
    },
    ...(schemaChanges === undefined ? [] : [{ name: 'schema as synced', ok: schemaChanges.length === 0 }]),
  ];
}
