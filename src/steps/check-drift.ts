import { allEnded } from '../base/async.ts';
import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { describeDifferences, driftOf } from '../schema/drift.ts';
import type { SchemaDifference } from '../schema/fingerprint/compare-schemas.ts';
import { type ObjectsOfClass, readSchema, schemaHash } from '../schema/fingerprint/schema-fingerprint.ts';
import { readRecordedClass, readSchemaHashes } from '../state/schema-record.ts';

/**
 * Refuses a switch when DDL was run on either side since both schemas were found to agree: it is not replicated. Reads only.
 *
 * @throws {SwitchoverAbortedError} `schema_drift`, with what changed
 */
export const checkDrift: SwitchoverStep = {
  id: 'check-drift',
  title: 'Guardrails: no DDL since the sync',
  describe: () => ['compare both schemas with what was recorded when they agreed'],

  async run({ source, target, migration, settings: { scope } }) {
    const recorded = await readSchemaHashes(target, migration);
    if (recorded === undefined) return;
    const [onSource, onTarget] = await allEnded([schemaHash(source, scope), schemaHash(target, scope)]);
    const hashes = { source: onSource, target: onTarget };
    const changed = (['source', 'target'] as const).filter((side) => hashes[side] !== recorded[side]);
    if (changed.length === 0) return;
    for (const side of changed) {
      const drift: SchemaDifference[] = [];
      await readSchema(side === 'source' ? source : target, scope, async (name, now) => {
        const record = await readRecordedClass<ObjectsOfClass>(target, migration, name);
        drift.push(...driftOf(name, record[side], now));
      });
      if (drift.length === 0) continue;
      throw new SwitchoverAbortedError(
        'schema_drift',
        `The schema of the ${side} changed since the sync: ${describeDifferences(drift)}`,
        {
          hint: 'New tables and partitions of the source: pgglide sync adds them. Else make the same change on the other side, then run pgglide verify: it records that they agree again.',
          facts: { side, drift },
        },
      );
    }
  },
};
