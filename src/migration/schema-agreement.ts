/** What a verification says beside its rows: differences of the schemas that are known, columns that nobody compares. */

import type { SchemaAgreement } from '../domain/event.ts';
import type { TableName } from '../domain/names.ts';
import { newDifferences } from '../schema/drift.ts';
import { readUnlikeObjects } from '../state/schema-record.ts';
import { generatedColumns } from '../verify/generated-columns.ts';
import type { Session } from './session.ts';

/** As of the record, which has just been found to be how both sides are. */
export async function schemaAgreement(
  { source, target, migration, identities }: Session,
  tables: readonly TableName[],
): Promise<SchemaAgreement> {
  const major = (version: number) => Math.trunc(version / 10_000);
  const acrossVersions = major(identities.source.versionNumber) !== major(identities.target.versionNumber);
  const unlike = await readUnlikeObjects(target, migration);
  const differences = [...unlike].flatMap(([name, objects]) =>
    newDifferences(name, undefined, objects, { acrossVersions }),
  );
  return {
    differences: differences.map(({ class: kind, object, change }) => ({ class: kind, object, change })),
    generatedColumns: await generatedColumns(source, tables),
  };
}
