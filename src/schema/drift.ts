/** What has changed since both sides were last found to agree. Pure. */

import type { Side } from '../domain/names.ts';
import { compareSchemas, type SchemaDifference } from './fingerprint/compare-schemas.ts';
import type { SchemaObjects } from './fingerprint/schema-fingerprint.ts';

export type BothSchemas = Readonly<Record<Side, SchemaObjects>>;

/** Changes of one side since the record. */
export const driftOf = (record: BothSchemas, now: SchemaObjects, side: Side): SchemaDifference[] =>
  record[side].hash === now.hash ? [] : compareSchemas(record[side], now);

/** Differences between the sides that were not there when they were recorded. */
export function newDifferences(record: BothSchemas | undefined, now: BothSchemas): SchemaDifference[] {
  const known = new Set(
    record === undefined ? [] : compareSchemas(record.source, record.target).map(differenceKey),
  );
  return compareSchemas(now.source, now.target).filter((difference) => !known.has(differenceKey(difference)));
}

const differenceKey = (difference: SchemaDifference): string => JSON.stringify(difference);

/** "columns public.orders.note added; ...", at most `most` of them. */
export function describeDifferences(differences: readonly SchemaDifference[], most = 10): string {
  const shown = differences
    .slice(0, most)
    .map(({ class: kind, object, change }) => `${kind}: ${object} ${change}`);
  const rest = differences.length - shown.length;
  return `${shown.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`;
}
