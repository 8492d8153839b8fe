/** What the operator turns while `sync` runs: kept in the migration's row, read by the running tool. */

import type { Settings } from '../config/settings.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

export interface Tuning {
  /** ISO 8601: since when the copy stands still on request. */
  readonly throttledSince?: string;
  readonly copyJobs?: number;
  readonly copyRateLimitBytesPerSecond?: number;
  readonly maxWalRetainedBytes?: number;
}

/** null takes a value back: the configuration's counts again. */
export type TuningChange = { readonly [K in keyof Tuning]: Tuning[K] | null };

/** Undefined when the migration is not known. */
export async function readTuning(target: Connection, migration: string): Promise<Tuning | undefined> {
  if (!(await tableExists(target, 'migration'))) return undefined;
  const [row] = await target.query<{ tuning: Tuning }>(
    sql`SELECT tuning FROM pgglide.migration WHERE name = ${migration}`,
  );
  return row?.tuning;
}

/** throttle.maxWalRetained as it counts now. */
export async function readMaxWalRetainedBytes(
  target: Connection,
  migration: string,
  { maxWalRetainedBytes }: Settings['throttle'],
): Promise<number> {
  const tuning = await readTuning(target, migration);
  return tuning?.maxWalRetainedBytes ?? maxWalRetainedBytes;
}

export async function changeTuning(
  target: Connection,
  migration: string,
  change: TuningChange,
): Promise<void> {
  await target.execute(sql`
    UPDATE pgglide.migration SET tuning = jsonb_strip_nulls(tuning || ${JSON.stringify(change)}::jsonb)
    WHERE name = ${migration}`);
}
