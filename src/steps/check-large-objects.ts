import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { areLargeObjectsAs, SMALL_BYTES } from '../postgres/large-object.ts';

/**
 * Nobody writes now: are the large objects still those that were brought over? Few and small ones are compared to the
 * byte; of many, number, oids and space.
 *
 * @throws {SwitchoverAbortedError} `large_objects_change`
 */
export const checkLargeObjects: SwitchoverStep = {
  id: 'check-large-objects',
  title: 'Large objects as brought over',
  describe: ({ from }) => [
    `on the ${from}: large objects have not changed since they were brought over (to the byte up to ${SMALL_BYTES} bytes)`,
  ],

  async run({ oldSide, facts, from }) {
    const known = facts.largeObjects;
    if (known === undefined) throw new Error('renew-large-objects has not run');
    if (await areLargeObjectsAs(oldSide, known)) return;
    throw new SwitchoverAbortedError(
      'large_objects_change',
      `Large objects of the ${from} changed in the last moments before the pause`,
      { hint: 'They are not replicated: try again, or keep their writers still for the cutover.' },
    );
  },
};
