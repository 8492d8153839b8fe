import { isDeepStrictEqual } from 'node:util';
import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { readSequences, setSequences } from '../postgres/sequence.ts';
import { exportSnapshot } from '../postgres/snapshot.ts';

/**
 * Three things that do not depend on each other, at once, because requests wait: a snapshot pinned on each side
 * (both show the same instant, so an exact comparison can follow without a stall), and every sequence's
 * last_value and is_called carried over and read back. nextval() needs no lock and nobody calls it now. Takes no lock.
 */
export const pinAndCarrySequences: SwitchoverStep = {
  id: 'pin-and-carry-sequences',
  title: 'Snapshots pinned, sequences carried over',
  describe: ({ from, to, plan }) => [
    'export a snapshot on each side and keep it',
    `read ${plan.sequences.length} sequences on the ${from}, set them on the ${to}`,
  ],

  async run(context) {
    const [count] = await Promise.all([carrySequences(context), pin(context)]);
    context.facts.sequenceCount = count;
    return `${count} sequences`;
  },
};

async function carrySequences({ oldSide, newSide, plan }: SwitchoverContext): Promise<number> {
  const values = await readSequences(oldSide, plan.sequences);
  await setSequences(newSide, values);
  const set = await readSequences(newSide, plan.sequences);
  if (!isDeepStrictEqual(set, values)) {
    throw new SwitchoverAbortedError(
      'sequences_differ',
      'The new side did not take the sequences over exactly',
      {
        hint: 'Does another session of the new side call nextval() or setval()? End it and try again.',
      },
    );
  }
  return values.length;
}

async function pin({ facts }: SwitchoverContext): Promise<void> {
  if (facts.pins === undefined) throw new Error('open-sessions has not run');
  const [source, target] = await Promise.all([
    exportSnapshot(facts.pins.source),
    exportSnapshot(facts.pins.target),
  ]);
  facts.snapshots = { source, target };
}
