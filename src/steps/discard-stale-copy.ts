import { PrerequisiteError } from '../domain/errors.ts';
import type { LaneNames } from '../domain/names.ts';
import { qualified } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { dropHalfLinks } from '../postgres/drop-half-link.ts';
import { dropLane } from '../postgres/drop-lane.ts';
import { existingLanes } from '../postgres/lane.ts';
import { lostLanes } from '../postgres/lost-lane.ts';
import { dropLoaded, findLoaded } from '../schema/drop-loaded.ts';
import type { NotedObject } from '../schema/loaded-objects.ts';
import { forgetCopy, isCopied, readCopyProgress } from '../state/copy-progress.ts';
import { broughtObjects, hasBegunPostData } from '../state/schema-progress.ts';

/**
 * A copy whose slot is gone can never be followed: it is stale. Once keys and indexes stand on it, rows are not simply
 * copied over it (that would be slow, and foreign keys forbid it); everything that was loaded goes, on the target only, and
 * sync begins with the schema. Both links go with it: a publication on the target would lose its tables. What somebody else
 * has made on the target stays.
 *
 * Before the indexes are begun, `copy-tables` keeps what other slots still hold, and this step finds nothing to do.
 *
 * @throws {PrerequisiteError} `copy_in_use`, before anything is dropped
 */
export const discardStaleCopy: Step<readonly string[]> = {
  id: 'discard-stale-copy',
  title: 'No copy without its slot',

  describe: () => ['target: only if a slot was lost: drop what was copied, to copy it anew'],

  async observe({ source, target, migration }) {
    if (!(await hasBegunPostData(target, migration))) return { satisfied: true, facts: [] };
    const lanes = await existingLanes(source, migration, 'forward');
    const lost = await lostLanes(source, lanes);
    const usable = new Set(lanes.filter((lane) => !lost.includes(lane)).map(({ lane }) => lane));
    const progress = await readCopyProgress(target, migration);
    const stale = progress.filter((table) => isCopied(table) && !usable.has(table.lane)).map(qualified);
    return { satisfied: stale.length === 0, facts: stale };
  },

  actions: (context, stale) => [
    {
      on: 'both',
      does: `drop both links and what was loaded: ${stale.length} copied tables have no slot any more`,
      run: () => discard(context, stale),
    },
  ],
};

async function discard(context: StepContext, stale: readonly string[]): Promise<void> {
  const { source, target, migration, events } = context;
  const brought = await broughtObjects<NotedObject>(target, migration);
  const { droppable, heldBack } = await findLoaded(target, brought);
  if (heldBack.length > 0) throw copyInUse(heldBack);
  await events.emit('warning', {
    code: 'copied_anew',
    message: `The slot that ${stale.length} copied table(s) were to be followed from is gone: the target is stale, everything is copied anew`,
    hint: 'The source is not touched by this. docs/throttling.md tells how a slot is lost.',
  });
  const [forward, reverse] = await Promise.all([
    existingLanes(source, migration, 'forward'),
    existingLanes(target, migration, 'reverse'),
  ]);
  await each(forward, (lane) => dropLane(source, target, lane));
  await each(reverse, (lane) => dropLane(target, source, lane));
  // A lane is known by its publication: of one that somebody has dropped the rest is still there.
  for (const side of [target, source]) await dropHalfLinks(side, migration);
  const kept = await dropLoaded(target, droppable);
  for (const message of kept) await events.emit('warning', { code: 'not_dropped', message });
  await forgetCopy(target, migration);
}

async function each(lanes: readonly LaneNames[], work: (lane: LaneNames) => Promise<void>): Promise<void> {
  for (const lane of lanes) await work(lane);
}

const copyInUse = (heldBack: readonly string[]): PrerequisiteError =>
  new PrerequisiteError(
    'copy_in_use',
    `The copy on the target is stale and must be made anew, but somebody has built on it there: ${heldBack.join('; ')}`,
    {
      hint: 'On the target, drop what is named, or move it elsewhere; then run the same command again. Nothing was dropped.',
      facts: { heldBack },
    },
  );
