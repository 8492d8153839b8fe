import { isDeepStrictEqual } from 'node:util';
import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import type { Connection } from '../postgres/connection.ts';
import {
  hasLargeObjects,
  type LargeObject,
  largeObjectSummary,
  readLargeObjects,
} from '../postgres/large-object.ts';

/** Read again in whole only where that takes a few milliseconds. */
const SMALL_COUNT = 500;
const SMALL_BYTES = 8 * 1024 * 1024;

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
    if (await isAsKnown(oldSide, known)) return;
    throw new SwitchoverAbortedError(
      'large_objects_change',
      `Large objects of the ${from} changed in the last moments before the pause`,
      { hint: 'They are not replicated: try again, or keep their writers still for the cutover.' },
    );
  },
};

async function isAsKnown(
  connection: Connection,
  { all, summary }: { readonly all: readonly LargeObject[]; readonly summary: string },
): Promise<boolean> {
  if (all.length === 0) return !(await hasLargeObjects(connection));
  if (isSmall(all)) return isDeepStrictEqual(await readLargeObjects(connection), all);
  return (await largeObjectSummary(connection)) === summary;
}

const isSmall = (objects: readonly LargeObject[]): boolean =>
  objects.length <= SMALL_COUNT && objects.reduce((sum, { bytes }) => sum + bytes, 0) <= SMALL_BYTES;
