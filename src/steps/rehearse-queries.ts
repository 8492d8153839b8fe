import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import type { Connection } from '../postgres/connection.ts';
import {
  type FencedRelation,
  fenceState,
  liftFenceSql,
  raiseFenceSql,
  rehearseFence,
} from '../postgres/fence.ts';
import { readLargeObjects } from '../postgres/large-object.ts';
import { readSequences, rehearseSetSequences } from '../postgres/sequence.ts';
import { beginSnapshot, exportSnapshot, releaseSnapshot } from '../postgres/snapshot.ts';

/**
 * Runs what the pause will run, where it changes nothing, so that both servers' catalog caches and our own code are warm
 * when requests wait: a first time costs several times the second. What can be known before the pause is looked up
 * here: which tables have their fence. The transactions that will take the snapshots are begun; they hold nothing yet.
 *
 * Locks our own marker table on both sides, and no other, for milliseconds.
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
    const { raised, lifted } = await rehearse(context, sessions, pins);
    facts.fences = { raise: raiseFenceSql(raised), lift: liftFenceSql(lifted) };
    await Promise.all(pins.map(beginSnapshot));
  },
};

/** The relations whose fence will be raised, and those whose fence will be lifted. */
async function rehearse(
  { oldSide, newSide, plan, tables, outLanes }: SwitchoverContext,
  { barrier, lift }: { readonly barrier: Connection; readonly lift: Connection },
  pins: readonly Connection[],
): Promise<{ readonly raised: readonly FencedRelation[]; readonly lifted: readonly FencedRelation[] }> {
  const [marker] = outLanes.map((lane) => lane.marker);
  const [raised, lifted] = await Promise.all([
    fenceState(barrier, tables),
    fenceState(lift, tables),
    rehearseSequences(),
    readLargeObjects(oldSide),
    ...pins.map(async (session) => {
      await exportSnapshot(session);
      await releaseSnapshot(session);
    }),
  ]);
  if (marker !== undefined) {
    await Promise.all([rehearseFence(barrier, marker, raised), rehearseFence(lift, marker, lifted)]);
  }
  return { raised, lifted };

  async function rehearseSequences(): Promise<void> {
    const values = await readSequences(oldSide, plan.sequences);
    await rehearseSetSequences(newSide, values);
  }
}
