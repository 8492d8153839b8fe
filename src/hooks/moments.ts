/** When a hook's moment has come, as the events tell it, and what it is told. Nothing in it is a secret. Pure. */

import type { PgglideError } from '../domain/errors.ts';
import type { MigrationEvent, SwitchoverSummary, VerificationSummary } from '../domain/event.ts';
import type { Side } from '../domain/names.ts';
import type { HookName } from './hook-name.ts';

export type KnownSide = Side | 'unknown';

export interface Moment {
  readonly hook: HookName;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Beside what every hook is told. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export function momentOf({ type, at, data }: MigrationEvent): Moment | undefined {
  switch (type) {
    case 'phase-changed':
      // A rollback ends in this phase, too.
      return data.from === 'syncing' && data.to === 'following'
        ? { hook: 'on-following', at, facts: {} }
        : undefined;
    case 'verification-finished':
      return data.equal ? { hook: 'on-validated', at, facts: { verification: compared(data) } } : undefined;
    case 'switchover-finished':
      return data.direction === 'rehearsal'
        ? undefined
        : { hook: 'on-switched', at, facts: { switchover: switched(data) } };
    case 'schema-changed':
      return { hook: 'on-schema-changed', at, facts: { schemaChange: data } };
    default:
      return undefined;
  }
}

/** Without the list of tables, of which there may be thousands. */
const compared = ({ mode, tables, sequencesEqual, seconds }: VerificationSummary) => ({
  mode,
  tables: tables.length,
  rows: tables.reduce((sum, { sourceRows }) => sum + sourceRows, 0),
  sequencesEqual,
  seconds,
});

const switched = ({ steps: _, ...summary }: SwitchoverSummary) => summary;

export function failureMoment(
  command: string,
  exitCode: number,
  error: PgglideError | undefined,
  at: string,
): Moment {
  const told = error && { code: error.code, message: error.message, hint: error.hint };
  return { hook: 'on-failure', at, facts: { command, exitCode, ...(told && { error: told }) } };
}

/** Between the beginning and the end of a switch nobody but the migration's row knows. */
export function sideAfter(side: KnownSide, { type, data }: MigrationEvent): KnownSide {
  if (type === 'phase-changed' && data.from === 'new') return 'source';
  if (type !== 'switchover-started' && type !== 'switchover-finished' && type !== 'switchover-aborted')
    return side;
  if (data.direction === 'rehearsal') return side;
  if (type === 'switchover-started') return 'unknown';
  const toTarget = data.direction === 'cutover';
  return toTarget === (type === 'switchover-finished') ? 'target' : 'source';
}
