import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { fenceState } from '../postgres/fence.ts';
import { readSequences } from '../postgres/sequence.ts';
import { exportSnapshot, releaseSnapshot } from '../postgres/snapshot.ts';

/**
 * Runs what the pause will run, where it changes nothing, so that both servers' catalog caches and our own code are warm
 * when requests wait: a first time costs several times the second. Reads only.
 */
export const rehearseQueries: SwitchoverStep = {
  id: 'rehearse-queries',
  title: 'Queries of the pause rehearsed',
  describe: () => ['read sequences and fences, export snapshots, as in the pause'],

  async run(context) {
    for (let round = 0; round < 2; round++) await rehearseOnce(context);
  },
};

async function rehearseOnce({ facts, oldSide, newSide, plan, tables }: SwitchoverContext): Promise<void> {
  const snapshots = facts.pins === undefined ? [] : [facts.pins.source, facts.pins.target];
  await Promise.all([
    readSequences(oldSide, plan.sequences),
    readSequences(newSide, plan.sequences),
    facts.lift === undefined ? undefined : fenceState(facts.lift, tables),
    ...snapshots.map(async (session) => {
      await exportSnapshot(session);
      await releaseSnapshot(session);
    }),
  ]);
}
