/** One verification of several databases that move together. Pure. */

import type { SchemaAgreement } from '../domain/event.ts';
import type { Verification } from './verification.ts';

export interface OwnVerification {
  readonly database: string;
  readonly verification: Verification;
}

/** Tables are named with their database where there is more than one. */
export function mergeVerifications(all: readonly OwnVerification[]): Verification {
  const [first, ...more] = all;
  if (first === undefined) throw new Error('No database was verified');
  if (more.length === 0) return first.verification;
  const summaries = all.map(({ verification }) => verification.summary);
  const named = all.flatMap(({ database, verification }) =>
    verification.summary.tables.map((one) => ({ ...one, table: `${database}.${one.table}` })),
  );
  return {
    summary: {
      mode: first.verification.summary.mode,
      equal: summaries.every(({ equal }) => equal),
      tables: named,
      sequencesEqual: summaries.some(({ sequencesEqual }) => sequencesEqual === undefined)
        ? undefined
        : summaries.every(({ sequencesEqual }) => sequencesEqual),
      ...mergedSchemas(all),
      seconds: summaries.reduce((sum, { seconds }) => sum + seconds, 0),
    },
    differingRows: all.flatMap(({ database, verification }) =>
      verification.differingRows.map((row) => ({ ...row, database })),
    ),
    unsettledRows: all.reduce((sum, { verification }) => sum + verification.unsettledRows, 0),
  };
}

function mergedSchemas(all: readonly OwnVerification[]): { readonly schema?: SchemaAgreement } {
  const own = all.flatMap(({ database, verification: { summary } }) =>
    summary.schema === undefined ? [] : [{ database, ...summary.schema }],
  );
  if (own.length < all.length) return {};
  return {
    schema: {
      differences: own.flatMap(({ database, differences }) =>
        differences.map((one) => ({ ...one, object: `${database}.${one.object}` })),
      ),
      generatedColumns: own.flatMap(({ database, generatedColumns }) =>
        generatedColumns.map((column) => `${database}.${column}`),
      ),
    },
  };
}
