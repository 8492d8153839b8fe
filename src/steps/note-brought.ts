import type { Step } from '../engine/step.ts';
import { type LoadedObject, loadedObjects, type NotedObject } from '../schema/loaded-objects.ts';
import { broughtObjects, noteBrought } from '../state/schema-progress.ts';

/**
 * Notes which objects of the target's catalogs are those that the migration has brought: a later abort knows them under any name.
 * Locks nothing.
 */
export const noteBroughtObjects: Step<readonly LoadedObject[]> = {
  id: 'note-brought',
  title: 'What was brought to the target is known by its place in the catalogs',

  describe: () => ['target: record the oids of what was loaded, for abort'],

  async observe({ target, migration }) {
    const brought = await broughtObjects<NotedObject>(target, migration);
    const known = new Set(brought.noted.map(({ id }) => id));
    const found = await loadedObjects(target, brought);
    const unknown = found.filter(({ id, isOurs }) => isOurs && !known.has(id));
    return { satisfied: unknown.length === 0, facts: unknown };
  },

  actions: ({ target, migration }, objects) => [
    {
      on: 'target',
      does: `record ${objects.length} objects`,
      run: () => noteBrought(target, migration, objects),
    },
  ],
};
