import { carryLargeObjects, compareLargeObjects } from '../copy/large-objects.ts';
import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { largeObjectSummary } from '../postgres/large-object.ts';
import { recordLargeObjects, sharedLargeObjects } from '../state/large-object.ts';

/** Each round has less to carry than the one before, unless somebody writes all the time. */
const MOST_ROUNDS = 3;

/**
 * Brings over what has changed in the old side's large objects since they were last carried, outside the pause, until
 * a comparison finds nothing. What the pause checks it with is noted before that last comparison reads.
 *
 * @throws {SwitchoverAbortedError} `large_objects_change`
 * @throws {PrerequisiteError} `large_object_unreadable`
 */
export const renewLargeObjects: SwitchoverStep = {
  id: 'renew-large-objects',
  title: 'Large objects brought over',
  describe: ({ from, to }) => [
    `compare the large objects of both sides; carry what differs from the ${from} to the ${to}`,
  ],

  async run({ oldSide, newSide, target, migration, facts, from, signal }) {
    for (let round = 0, carried = 0; ; round++) {
      const summary = await largeObjectSummary(oldSide);
      const shared = await sharedLargeObjects(target, migration);
      const ends = { from: oldSide, to: newSide, shared, signal };
      const difference = await compareLargeObjects(ends);
      if (difference.changed.length + difference.gone.length === 0) {
        facts.largeObjects = { summary, all: difference.all };
        return difference.all.length + carried === 0
          ? 'none'
          : `${difference.all.length}, ${carried} carried now`;
      }
      if (round === MOST_ROUNDS) throw stillChanging(from);
      const record = (oids: readonly number[]) => recordLargeObjects(target, migration, oids);
      await carryLargeObjects({ ...ends, difference, record });
      carried += difference.changed.length;
    }
  },
};

const stillChanging = (from: string): SwitchoverAbortedError =>
  new SwitchoverAbortedError(
    'large_objects_change',
    `Large objects of the ${from} changed while they were brought over, ${MOST_ROUNDS} times in a row`,
    { hint: 'They are not replicated: keep their writers still for the cutover, then try again.' },
  );
