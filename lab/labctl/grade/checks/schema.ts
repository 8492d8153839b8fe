/** What surrounds the rows: compared with a server that was filled as the source was. */

import { INDEX_CLASSES, SCHEMA_CLASSES, SETTING_CLASSES } from '../catalog.ts';
import { describeMissing, type FactClass, type Missing, missingFacts } from '../facts.ts';
import type { CheckDefinition } from '../types.ts';
import { type GradeWorld, targetOf } from '../world.ts';

async function missingOnTarget(world: GradeWorld, classes: readonly FactClass[]): Promise<Missing[]> {
  const target = targetOf(world);
  return missingFacts(classes, await world.reference(), target);
}

const SHOWN = 20;
const shown = (missing: readonly Missing[]): object[] =>
  missing.map(({ name, items }) => ({ name, count: items.length, items: items.slice(0, SHOWN) }));

export const schemaEqual: CheckDefinition = {
  id: 'schema-equal',
  name: 'tables, columns, types, defaults, keys, views, functions, triggers and policies are on the target',
  needsReference: true,
  points: 8,
  async run(world) {
    if (world.target === undefined) return { score: 0, output: 'no target is deployed' };
    const missing = await missingOnTarget(world, SCHEMA_CLASSES);
    if (missing.length === 0)
      return { score: 8, output: `${SCHEMA_CLASSES.length} classes of objects equal` };
    const hasNoTables = missing.some(({ name }) => name === 'tables');
    return {
      score: hasNoTables ? 0 : 8 - missing.length,
      output: `missing or different: ${describeMissing(missing)}`,
      hint: 'task 2: replication copies rows, not the schema.',
      evidence: shown(missing),
    };
  },
};

export const indexesValid: CheckDefinition = {
  id: 'indexes-valid',
  name: 'every index is there and valid, every constraint validated',
  needsReference: true,
  points: 4,
  needsSwitch: true,
  async run(world) {
    const missing = await missingOnTarget(world, INDEX_CLASSES);
    if (missing.length === 0) return { score: 4, output: 'all there and valid' };
    return {
      score: 0,
      output: `missing or invalid: ${describeMissing(missing)}`,
      hint: 'pg_index.indisvalid and pg_constraint.convalidated tell which.',
      evidence: shown(missing),
    };
  },
};

export const settings: CheckDefinition = {
  id: 'settings',
  name: 'roles, owners, grants and settings of database and roles are carried over',
  needsReference: true,
  points: 3,
  needsSwitch: true,
  async run(world) {
    const missing = await missingOnTarget(world, SETTING_CLASSES);
    if (missing.length === 0) return { score: 3, output: 'roles, owners, grants and settings equal' };
    return {
      score: 3 - missing.length,
      output: `missing or different: ${describeMissing(missing)}`,
      hint: 'A schema dump leaves out roles, and what ALTER DATABASE and ALTER ROLE ... SET said.',
      evidence: shown(missing),
    };
  },
};
