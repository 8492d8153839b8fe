import { allEnded } from '../base/async.ts';
import { DifferenceError } from '../domain/errors.ts';
import { SIDES, type Side } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { type BothClasses, describeDifferences, driftOf, newDifferences } from '../schema/drift.ts';
import type { SchemaDifference } from '../schema/fingerprint/compare-schemas.ts';
import {
  type ClassOfBoth,
  type ObjectsOfClass,
  readBothSchemas,
  schemaHash,
} from '../schema/fingerprint/schema-fingerprint.ts';
import {
  readDumpedClass,
  readRecordedClass,
  readSchemaHashes,
  saveRecordedClass,
  saveSchemaHashes,
} from '../state/schema-record.ts';

/**
 * Records both schemas when they agree, as what drift is measured against: DDL is not replicated. Differences that were
 * there at the first record (what the newer version or the scope makes differ) are told once and then known; not those that
 * DDL on the source has made since its schema was dumped.
 * Locks nothing but catalogs.
 *
 * @throws {DifferenceError} `schema_differs`: DDL was run on one side since
 */
export const recordSchema: Step<undefined> = {
  id: 'record-schema',
  title: 'Schemas of both sides agree',
  // Thousands of tables take seconds to read; what is recorded is what was read.
  isProvenByActing: true,

  describe: () => [
    'both: compare tables, columns, indexes, constraints, functions, grants, ...; target: record them',
  ],

  async observe({ source, target, migration, settings: { scope } }) {
    const recorded = await readSchemaHashes(target, migration);
    if (recorded === undefined) return { satisfied: false, facts: undefined };
    const [onSource, onTarget] = await allEnded([schemaHash(source, scope), schemaHash(target, scope)]);
    return { satisfied: recorded.source === onSource && recorded.target === onTarget, facts: undefined };
  },

  actions: (context) => [
    { on: 'target', does: 'compare both schemas and record them', run: () => compareAndRecord(context) },
  ],
};

/** All of it in one transaction on a session of its own: the others read their catalogs as of one instant meanwhile. */
async function compareAndRecord(context: StepContext): Promise<void> {
  const { source, target, migration, settings, events, open } = context;
  await using saving = await open('target', 'schema record');
  const { known } = await saving.transaction(async () => {
    const isFirst = (await readSchemaHashes(saving, migration)) === undefined;
    const found = new Found();
    const hashes = await readBothSchemas({ source, target }, settings.scope, async (now) => {
      const { name, objects } = now;
      if (isFirst) found.addFirst(await readDumpedClass<ObjectsOfClass>(saving, migration, name), now);
      else found.add(await readRecordedClass<ObjectsOfClass>(saving, migration, name), now);
      await saveRecordedClass(saving, migration, name, objects);
    });
    if (found.differences.length > 0) throw differ(found);
    await saveSchemaHashes(saving, migration, hashes);
    return found;
  });
  if (known.length === 0) return;
  await events.emit('warning', {
    code: 'schema_parity',
    message: `The target's schema is not exactly the source's: ${describeDifferences(known)}`,
    hint: 'Look whether you expect this; the migration goes on.',
  });
}

/** What the classes read so far show. */
class Found {
  /** By DDL since. */
  readonly differences: SchemaDifference[] = [];
  /** By what the dump, the restore or the newer version made of the source's schema. */
  readonly known: SchemaDifference[] = [];
  readonly changed = new Set<Side>();

  /** The copy in between may have taken hours: what the source changed in them is nobody's to expect. */
  addFirst(dumped: ObjectsOfClass | undefined, { name, objects, acrossVersions }: ClassOfBoth): void {
    const late = new Set(
      (dumped === undefined ? [] : driftOf(name, dumped, objects.source)).map(({ object }) => object),
    );
    for (const difference of newDifferences(name, undefined, objects, { acrossVersions })) {
      if (late.has(difference.object)) this.differences.push(difference);
      else this.known.push(difference);
    }
    if (this.differences.length > 0) this.changed.add('source');
  }

  add(record: BothClasses, { name, objects, acrossVersions }: ClassOfBoth): void {
    this.differences.push(...newDifferences(name, record, objects, { acrossVersions }));
    for (const side of SIDES)
      if (driftOf(name, record[side], objects[side]).length > 0) this.changed.add(side);
  }
}

function differ({ differences, changed }: Found): DifferenceError {
  const sides = SIDES.filter((side) => changed.has(side));
  return new DifferenceError(
    'schema_differs',
    `The schema of the ${sides.join(' and the ')} changed, and the sides differ: ${describeDifferences(differences)}`,
    {
      hint: 'DDL is not replicated. New tables and partitions of the source: pgglide sync adds them. Else run the same statements on the other side, then the same command again.',
      facts: { differences },
    },
  );
}
