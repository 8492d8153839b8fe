import { carryLargeObjects, compareLargeObjects, type LargeObjectDifference } from '../copy/large-objects.ts';
import type { Step } from '../engine/step.ts';
import { recordLargeObjects, sharedLargeObjects } from '../state/large-object.ts';

/**
 * Copies large objects with their oids, owners, grants and comments: logical replication leaves them out. Every sync
 * brings over what has changed since; so does the preparation of every switch. Locks nothing.
 *
 * @throws {PrerequisiteError} `large_object_unreadable`, `large_object_taken`
 * @see https://www.postgresql.org/docs/current/largeobjects.html
 */
export const carryLargeObjectsStep: Step<LargeObjectDifference> = {
  id: 'carry-large-objects',
  title: 'Large objects',

  describe: () => ['target: large objects of the source, if it has any, with oids, owners and grants'],

  async observe({ source, target, migration, signal }) {
    const shared = await sharedLargeObjects(target, migration);
    const facts = await compareLargeObjects({ from: source, to: target, shared, signal });
    return { satisfied: facts.changed.length + facts.gone.length === 0, facts };
  },

  actions: ({ source, target, migration, signal }, difference) => [
    {
      on: 'both',
      does: `carry ${difference.changed.length} large objects, remove ${difference.gone.length}`,
      run: async () =>
        carryLargeObjects({
          from: source,
          to: target,
          shared: await sharedLargeObjects(target, migration),
          difference,
          record: (oids) => recordLargeObjects(target, migration, oids),
          signal,
        }),
    },
  ],
};
