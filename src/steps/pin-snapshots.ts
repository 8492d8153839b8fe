import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { takeSnapshot } from '../postgres/snapshot.ts';

/**
 * Exports a snapshot on each side and keeps it: behind the barrier, with everything drained, both show the same
 * instant, so an exact comparison of all rows can follow without a stall. Takes no lock.
 */
export const pinSnapshots: SwitchoverStep = {
  id: 'pin-snapshots',
  title: 'Snapshots of both sides pinned',
  describe: () => ['export a snapshot on each side and keep it for the comparison'],

  async run({ facts }) {
    if (facts.pins === undefined) throw new Error('rehearse-queries has not run');
    const [source, target] = await Promise.all([
      takeSnapshot(facts.pins.source),
      takeSnapshot(facts.pins.target),
    ]);
    facts.snapshots = { source, target };
  },
};
