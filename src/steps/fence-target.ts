import type { Action, Step } from '../engine/step.ts';
import {
  type FencedRelation,
  hangFenceSql,
  isFenceRaised,
  raiseFenceSql,
  unfencedRelations,
} from '../postgres/fence.ts';
import { list } from '../postgres/sql.ts';

/** Whose locks the apply worker waits for at once. */
const BATCH = 100;

interface Facts {
  readonly isRaised: boolean;
  readonly unfenced: readonly FencedRelation[];
}

/**
 * Until the cutover the target takes no writes but the apply worker's: a stray client gets the fence's error instead of
 * causing a conflict that stops replication. SHARE ROW EXCLUSIVE on each table of the target for an instant.
 */
export const fenceTarget: Step<Facts> = {
  id: 'fence-target',
  title: 'Target fenced until the cutover',

  describe: ({ plan }) => [`target: fence triggers on ${plan.tables.length} tables, raised`],

  async observe({ target, plan }) {
    const [isRaised, unfenced] = await Promise.all([
      isFenceRaised(target),
      unfencedRelations(target, plan.tables),
    ]);
    return { satisfied: isRaised && unfenced.length === 0, facts: { isRaised, unfenced } };
  },

  actions(_, { isRaised, unfenced }) {
    const actions: Action[] = [];
    if (!isRaised) actions.push({ on: 'target', statement: raiseFenceSql() });
    for (let from = 0; from < unfenced.length; from += BATCH)
      actions.push({
        on: 'target',
        statement: list(unfenced.slice(from, from + BATCH).map(hangFenceSql), '; '),
        // What the copy brought is just what autovacuum takes up now.
        outwaitsVacuum: true,
      });
    return actions;
  },
};
