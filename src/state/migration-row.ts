/** The migration's row on the target: phase, active side, epoch, plan, and the switchover under way. */

import { epochMoved } from '../domain/epoch-moved.ts';
import type { RefusedError } from '../domain/errors.ts';
import type { MigrationEvent, SwitchoverDirection } from '../domain/event.ts';
import type { Side } from '../domain/names.ts';
import type { Phase } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';
import { insertEventSql } from './journal.ts';

/** Written before the pause, cleared when the switchover is over; found set, it must be undone or finished. */
export interface SwitchoverIntent {
  readonly direction: SwitchoverDirection;
  readonly from: Side;
  readonly to: Side;
  /** The epoch that the commit point will write. */
  readonly epoch: number;
  readonly startedAt: string;
}

export interface MigrationRow {
  readonly name: string;
  readonly phase: Phase;
  readonly activeSide: Side;
  readonly epoch: number;
  readonly plan: Plan | undefined;
  readonly switchover: SwitchoverIntent | undefined;
  readonly sourceSystemIdentifier: string;
  readonly targetSystemIdentifier: string;
  readonly createdAt: string;
}

interface Row {
  name: string;
  phase: Phase;
  active_side: Side;
  epoch: number;
  plan: Plan | null;
  switchover: SwitchoverIntent | null;
  source_id: string;
  target_id: string;
  created_at: string;
}

/** Undefined when the migration is not known here. */
export async function readMigration(target: Connection, name: string): Promise<MigrationRow | undefined> {
  if (!(await tableExists(target, 'migration'))) return undefined;
  const [row] = await target.query<Row>(sql`
    SELECT name, phase, active_side, epoch, plan, switchover,
      source_system_identifier AS source_id, target_system_identifier AS target_id,
      to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at
    FROM pgglide.migration WHERE name = ${name}`);
  if (row === undefined) return undefined;
  return {
    name: row.name,
    phase: row.phase,
    activeSide: row.active_side,
    epoch: row.epoch,
    plan: row.plan ?? undefined,
    switchover: row.switchover ?? undefined,
    sourceSystemIdentifier: row.source_id,
    targetSystemIdentifier: row.target_id,
    createdAt: row.created_at,
  };
}

/** A switchover has passed its commit point and is not over. */
export const isCommitted = ({ epoch, switchover }: Pick<MigrationRow, 'epoch' | 'switchover'>): boolean =>
  switchover !== undefined && epoch >= switchover.epoch;

/** Of all migrations that the target knows. */
export async function readActiveSides(
  target: Connection,
): Promise<Pick<MigrationRow, 'name' | 'activeSide' | 'epoch'>[]> {
  if (!(await tableExists(target, 'migration'))) return [];
  return await target.query(sql`SELECT name, active_side AS "activeSide", epoch FROM pgglide.migration`);
}

export async function createMigration(
  target: Connection,
  row: Pick<MigrationRow, 'name' | 'sourceSystemIdentifier' | 'targetSystemIdentifier'>,
): Promise<void> {
  await target.execute(sql`
    INSERT INTO pgglide.migration (name, phase, active_side, epoch, source_system_identifier, target_system_identifier)
    VALUES (${row.name}, 'new', 'source', 0, ${row.sourceSystemIdentifier}, ${row.targetSystemIdentifier})
    ON CONFLICT DO NOTHING`);
}

/** Names of those that have their state in the same place. */
export async function otherMigrations(target: Connection, name: string): Promise<string[]> {
  if (!(await tableExists(target, 'migration'))) return [];
  const rows = await target.query<{ name: string }>(sql`
    SELECT name FROM pgglide.migration WHERE name <> ${name} ORDER BY 1`);
  return rows.map((row) => row.name);
}

/** The same with what each is in: "shop (switched)". */
export async function describeOthers(target: Connection, name: string): Promise<string[]> {
  if (!(await tableExists(target, 'migration'))) return [];
  const rows = await target.query<{ text: string }>(sql`
    SELECT format('%s (%s)', name, phase) AS text FROM pgglide.migration WHERE name <> ${name} ORDER BY 1`);
  return rows.map((row) => row.text);
}

/** With all its state. */
export async function deleteMigration(target: Connection, name: string): Promise<void> {
  await target.execute(sql`DELETE FROM pgglide.migration WHERE name = ${name}`);
}

export async function savePlan(target: Connection, name: string, plan: Plan): Promise<void> {
  await target.execute(
    sql`UPDATE pgglide.migration SET plan = ${JSON.stringify(plan)}::jsonb WHERE name = ${name}`,
  );
}

/** The phase and its event in one statement: neither is seen without the other. */
export async function changePhase(
  target: Connection,
  name: string,
  to: Phase,
  event: MigrationEvent,
): Promise<void> {
  await target.execute(
    sql`WITH journal AS (${insertEventSql(name, event)}) UPDATE pgglide.migration SET phase = ${to} WHERE name = ${name}`,
  );
}

/** Never lowers it. */
export async function raiseEpoch(target: Connection, name: string, epoch: number): Promise<void> {
  await target.execute(sql`
    UPDATE pgglide.migration SET epoch = ${epoch} WHERE name = ${name} AND epoch < ${epoch}`);
}

export async function saveIntent(
  target: Connection,
  name: string,
  intent: SwitchoverIntent | undefined,
): Promise<void> {
  await target.execute(sql`
    UPDATE pgglide.migration SET switchover = ${intent === undefined ? null : JSON.stringify(intent)}::jsonb
    WHERE name = ${name}`);
}

/** The switchover is over, and its event tells so: neither is seen without the other. */
export async function endSwitchover(target: Connection, name: string, event: MigrationEvent): Promise<void> {
  await target.execute(
    sql`WITH journal AS (${insertEventSql(name, event)}) UPDATE pgglide.migration SET switchover = NULL WHERE name = ${name}`,
  );
}

/**
 * THE COMMIT POINT. Synchronous, so it flushes everything the target applied before it.
 * @throws {RefusedError} `epoch_moved`: someone else switched meanwhile; nothing was changed
 */
export async function commitActiveSide(
  target: Connection,
  name: string,
  side: Side,
  epoch: number,
): Promise<void> {
  const changed = await target.execute(sql`
    UPDATE pgglide.migration SET active_side = ${side}, epoch = ${epoch}
    WHERE name = ${name} AND epoch = ${epoch - 1}`);
  if (changed === 1) return;
  throw switchedMeanwhile(name, epoch - 1);
}

export const switchedMeanwhile = (name: string, expectedEpoch: number): RefusedError =>
  epochMoved(`Another run switched migration "${name}" meanwhile`, { name, expectedEpoch });
