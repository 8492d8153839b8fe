import { collectGarbage } from '../base/garbage.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import type { Connection } from '../postgres/connection.ts';
import { rehearseFence } from '../postgres/fence.ts';
import { areLargeObjectsAs } from '../postgres/large-object.ts';
import { readSequences, rehearseSetSequences } from '../postgres/sequence.ts';
import { beginSnapshot, exportSnapshot, releaseSnapshot } from '../postgres/snapshot.ts';
import { ddlSign } from '../schema/ddl-sign.ts';

/** So often our own code has to run before it is compiled: it takes most of the pause's processor time. Measured: 12 ms after 2 rounds, 8 after 9. */
const ROUNDS = 9;
/** Thousands of sequences take a second each time: twice then. */
const MOST_MS = 300;

/**
 * Runs what the pause will run, where it changes nothing, so that both servers' catalog caches and our own code are warm
 * when requests wait: a first time costs several times the second. The transactions that will take the snapshots are
 * begun; they hold nothing yet. Locks nothing.
 */
export const rehearseQueries: SwitchoverStep = {
  id: 'rehearse-queries',
  title: 'Queries of the pause rehearsed',
  describe: () => [
    'read sequences, fences and the count of DDL, export snapshots, ask the traffic switch, as in the pause',
  ],

  async run(context) {
    const { facts } = context;
    const { barrier, ddlWatch, lift } = facts;
    if (!barrier || !ddlWatch || !lift || !facts.pins) {
      throw new Error('open-sessions has not run');
    }
    const sessions = { barrier, ddlWatch, lift };
    const pins = [facts.pins.source, facts.pins.target];
    const startedMs = performance.now();
    await rehearse(context, sessions, pins);
    // The values of thousands of sequences, and the text that sets them: not twice in memory.
    collectGarbage();
    for (let round = 1; round < ROUNDS; round++) {
      await rehearse(context, sessions, pins);
      if (performance.now() - startedMs > MOST_MS) break;
    }
    await Promise.all(pins.map(beginSnapshot));
  },
};

async function rehearse(
  { oldSide, plan, traffic, settings, facts }: SwitchoverContext,
  { barrier, ddlWatch, lift }: Readonly<Record<'barrier' | 'ddlWatch' | 'lift', Connection>>,
  pins: readonly Connection[],
): Promise<void> {
  await Promise.all([
    rehearseFence(barrier),
    rehearseFence(lift),
    ddlSign(ddlWatch, settings.scope),
    rehearseSequences(),
    facts.largeObjects && areLargeObjectsAs(oldSide, facts.largeObjects),
    traffic.observe(),
    ...pins.map(async (session) => {
      await exportSnapshot(session);
      await releaseSnapshot(session);
    }),
  ]);

  async function rehearseSequences(): Promise<void> {
    const values = await readSequences(barrier, plan.sequences);
    await rehearseSetSequences(lift, values);
  }
}
