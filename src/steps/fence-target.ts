import type { Step } from '../engine/step.ts';
import { type FencedRelation, fenceState, raiseFenceSql } from '../postgres/fence.ts';

/**
 * Until the cutover the target takes no writes but the apply worker's: a stray client gets the fence's error instead of
 * causing a conflict that stops replication. SHARE ROW EXCLUSIVE on each table of the target for an instant.
 */
export const fenceTarget: Step<readonly FencedRelation[]> = {
  id: 'fence-target',
  title: 'Target fenced until the cutover',

  describe: ({ plan }) => [`target: fence triggers on ${plan.tables.length} tables`],

  async observe({ target, plan }) {
    const relations = await fenceState(target, plan.tables);
    return { satisfied: relations.every((relation) => relation.fence === 'raised'), facts: relations };
  },

  actions(_, relations) {
    const statement = raiseFenceSql(relations);
    return statement ? [{ on: 'target', statement }] : [];
  },
};
