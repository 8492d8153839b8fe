/** A small database's whole schema at once. */

import type { Scope } from '../../src/domain/scope.ts';
import type { Connection } from '../../src/postgres/connection.ts';
import { compareClass, type SchemaDifference } from '../../src/schema/fingerprint/compare-schemas.ts';
import {
  type ObjectsOfClass,
  readBothSchemas,
  readSchema,
} from '../../src/schema/fingerprint/schema-fingerprint.ts';

export interface WholeSchema {
  readonly hash: string;
  readonly classes: ReadonlyMap<string, ObjectsOfClass>;
}

export async function wholeSchema(connection: Connection, scope: Scope = {}): Promise<WholeSchema> {
  const classes = new Map<string, ObjectsOfClass>();
  const hash = await readSchema(connection, scope, (name, objects) => void classes.set(name, objects));
  return { hash, classes };
}

/** Of one database at two times. */
export const schemaChanges = (was: WholeSchema, is: WholeSchema): SchemaDifference[] =>
  [...was.classes].flatMap(([name, objects]) =>
    compareClass(name, objects, is.classes.get(name) ?? {}, { acrossVersions: false }),
  );

export async function schemaDifferences(source: Connection, target: Connection): Promise<SchemaDifference[]> {
  const differences: SchemaDifference[] = [];
  await readBothSchemas(
    { source, target },
    {},
    ({ name, objects, acrossVersions }) =>
      void differences.push(...compareClass(name, objects.source, objects.target, { acrossVersions })),
  );
  return differences;
}
