import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { readSequences, setSequences } from '../postgres/sequence.ts';

/**
 * Carries every sequence's last_value and is_called over and reads them back: logical replication leaves sequences out.
 * Nobody calls nextval() now, and it needs no lock. In sessions that have nothing else to do now, so that it does not queue
 * behind the marker. Flushed by what follows: the commit point on the target, arm-return-link on the source.
 *
 * @throws {SwitchoverAbortedError} `sequences_differ`
 */
export const carrySequences: SwitchoverStep = {
  id: 'carry-sequences',
  title: 'Sequences carried over',
  describe: ({ from, to, plan }) => [
    `read ${plan.sequences.length} sequences on the ${from}, set them on the ${to}, read them back`,
  ],

  async run({ plan, facts }) {
    const { barrier, lift } = facts;
    if (barrier === undefined || lift === undefined) throw new Error('open-sessions has not run');
    const values = await readSequences(barrier, plan.sequences);
    const set = await setSequences(lift, values);
    if (JSON.stringify(set) !== JSON.stringify(values)) {
      throw new SwitchoverAbortedError(
        'sequences_differ',
        'The new side did not take the sequences over exactly',
        {
          hint: 'Does another session of the new side call nextval() or setval()? End it and try again.',
        },
      );
    }
    facts.sequenceCount = values.length;
    return `${values.length} sequences`;
  },
};
