import { allEnded } from '../base/async.ts';
import { DifferenceError } from '../domain/errors.ts';
import type { Step } from '../engine/step.ts';
import { type BothSchemas, describeDifferences, driftOf, newDifferences } from '../schema/drift.ts';
import { schemaFingerprint, schemaHash } from '../schema/fingerprint/schema-fingerprint.ts';
import { readSchemaHashes, readSchemaRecord, saveSchemaRecord } from '../state/schema-record.ts';

/** Undefined: what is recorded is what is there. */
type Facts = { readonly record: BothSchemas | undefined; readonly now: BothSchemas } | undefined;

/**
 * Records both schemas when they agree, as what drift is measured against: DDL is not replicated. Differences that were
 * there at the first record (what the newer version or the scope makes differ) are told once and then known.
 * Locks nothing but catalogs.
 *
 * @throws {DifferenceError} `schema_differs`: DDL was run on one side since
 */
export const recordSchema: Step<Facts> = {
  id: 'record-schema',
  title: 'Schemas of both sides agree',

  describe: () => [
    'both: compare tables, columns, indexes, constraints, functions, grants, ...; target: record them',
  ],

  async observe({ source, target, migration, settings: { scope } }) {
    const recorded = await readSchemaHashes(target, migration);
    if (recorded !== undefined) {
      const [onSource, onTarget] = await allEnded([schemaHash(source, scope), schemaHash(target, scope)]);
      if (recorded.source === onSource && recorded.target === onTarget)
        return { satisfied: true, facts: undefined };
    }
    const record = await readSchemaRecord<BothSchemas['source']>(target, migration);
    const [onSource, onTarget] = await allEnded([
      schemaFingerprint(source, scope),
      schemaFingerprint(target, scope),
    ]);
    return { satisfied: false, facts: { record, now: { source: onSource, target: onTarget } } };
  },

  actions({ target, migration, events }, facts) {
    if (facts === undefined) return [];
    const { record, now } = facts;
    const differences = newDifferences(record, now);
    if (record !== undefined && differences.length > 0) {
      const changed = (['source', 'target'] as const).filter(
        (side) => driftOf(record, now[side], side).length > 0,
      );
      throw new DifferenceError(
        'schema_differs',
        `The schema of the ${changed.join(' and the ')} changed, and the sides differ: ${describeDifferences(differences)}`,
        {
          hint: 'DDL is not replicated. New tables and partitions of the source: pgglide sync adds them. Else run the same statements on the other side, then the same command again.',
          facts: { differences },
        },
      );
    }
    return [
      {
        on: 'target',
        does: 'record both schemas',
        run: async () => {
          if (differences.length > 0) {
            await events.emit('warning', {
              code: 'schema_parity',
              message: `The target's schema is not exactly the source's: ${describeDifferences(differences)}`,
              hint: 'Look whether you expect this; the migration goes on.',
            });
          }
          await saveSchemaRecord(target, migration, now);
        },
      },
    ];
  },
};
