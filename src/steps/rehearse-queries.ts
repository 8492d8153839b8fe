import { collectGarbage } from '../base/garbage.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import type { Connection } from '../postgres/connection.ts';
import { rehearseFence } from '../postgres/fence.ts';
import { readLargeObjects } from '../postgres/large-object.ts';
import { readSequences, rehearseSetSequences } from '../postgres/sequence.ts';
import { beginSnapshot, exportSnapshot, releaseSnapshot } from '../postgres/snapshot.ts';

/**
 * Runs what the pause will run, where it changes nothing, so that both servers' catalog caches and our own code are warm
 * when requests wait: a first time costs several times the second. The transactions that will take the snapshots are
 * begun; they hold nothing yet. Locks nothing.
 */
export const rehearseQueries: SwitchoverStep = {
  id: 'rehearse-queries',
  title: 'Queries of the pause rehearsed',
  describe: () => ['read sequences and fences, export snapshots, as in the pause'],

  async run(context) {
    const { facts } = context;
    if (facts.barrier === undefined || facts.lift === undefined || facts.pins === undefined) {
      throw new Error('open-sessions has not run');
    }
    const sessions = { barrier: facts.barrier, lift: facts.lift };
    const pins = [facts.pins.source, facts.pins.target];
    await rehearse(context, sessions, pins);
    // The values of thousands of sequences, and the text that sets them: not twice in memory.
    collectGarbage();
    await rehearse(context, sessions, pins);
    await Promise.all(pins.map(beginSnapshot));
  },
};

async function rehearse(
  { oldSide, newSide, plan }: SwitchoverContext,
  { barrier, lift }: { readonly barrier: Connection; readonly lift: Connection },
  pins: readonly Connection[],
): Promise<void> {
  await Promise.all([
    rehearseFence(barrier),
    rehearseFence(lift),
    rehearseSequences(),
    readLargeObjects(oldSide),
    ...pins.map(async (session) => {
      await exportSnapshot(session);
      await releaseSnapshot(session);
    }),
  ]);

  async function rehearseSequences(): Promise<void> {
    const values = await readSequences(oldSide, plan.sequences);
    await rehearseSetSequences(newSide, values);
  }
}
