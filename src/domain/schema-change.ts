/** DDL is not replicated: what is told when the schema of a side has changed since both were last found to agree. Pure. */

import type { Side } from './names.ts';

/** Seen as it was run, by an event trigger of ours. */
export interface Statement {
  /** ISO 8601, UTC, by that server's clock. */
  readonly at: string;
  /** "ALTER TABLE" */
  readonly command: string;
  /** "public.orders"; empty where the server names none. */
  readonly object: string;
  readonly role: string;
}

export interface SchemaChange {
  readonly side: Side;
  /** Of that side's schema now: a change is told once. */
  readonly fingerprint: string;
  /** "columns: public.orders.note added; ..." */
  readonly changes: string;
  /** The latest; none where our role may not create event triggers. */
  readonly statements: readonly Statement[];
  /** How many were seen. */
  readonly statementCount: number;
}

export const SCHEMA_CHANGE_HINT =
  'New tables and partitions of the source, while it is the active side: pgglide sync adds them. Else make the same change on the other side, then run pgglide verify: it records that they agree again.';

export const schemaChangeText = ({ side, changes, statements, statementCount }: SchemaChange): string => {
  const more = statementCount - statements.length;
  const seen = [...(more > 0 ? [`${more} statements before`] : []), ...statements.map(statementText)];
  return `The schema of the ${side} changed since the sync: ${changes}${seen.length === 0 ? '' : ` (${seen.join('; ')})`}`;
};

const statementText = ({ at, command, object, role }: Statement): string =>
  `${[command, object].join(' ').trim()} by ${role} at ${at.slice(0, 19).replace('T', ' ')} UTC`;

export interface Comparison {
  readonly endedMs: number;
  readonly tookMs: number;
}

/** Without a sign that something has changed. */
const EVERY_MS = 60_000;
/** Of the time: a comparison of ten thousand tables takes seconds of a processor. */
const IDLE_SHARE = 100;
const WOKEN_SHARE = 10;

/** Whether the schemas are to be compared again. `isWoken`: DDL was noted, or something recorded, since the last time. */
export function isComparisonDue(last: Comparison | undefined, isWoken: boolean, nowMs: number): boolean {
  if (last === undefined) return true;
  const waitMs = isWoken ? WOKEN_SHARE * last.tookMs : Math.max(EVERY_MS, IDLE_SHARE * last.tookMs);
  return nowMs >= last.endedMs + waitMs;
}
