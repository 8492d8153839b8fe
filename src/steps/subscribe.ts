import { planLanes } from '../domain/lanes.ts';
import { LINK_ALTERED } from '../domain/last-verification.ts';
import type { LaneNames } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { existingLanes } from '../postgres/lane.ts';
import { noteLane } from '../postgres/lane-note.ts';
import { hasTravelled } from '../postgres/marker.ts';
import {
  createSubscription,
  enableSubscriptionSql,
  type SubscriptionState,
  subscriptionState,
} from '../postgres/subscription.ts';

interface Facts {
  readonly missing: readonly LaneNames[];
  readonly disabled: readonly SubscriptionState[];
}

/**
 * Lets the target follow: one subscription a lane, from its slot's consistent point, copying nothing. A disabled one
 * (it stopped at an error that has been mended meanwhile) is enabled again.
 *
 * @see https://www.postgresql.org/docs/current/sql-createsubscription.html
 */
export const subscribe: Step<Facts> = {
  id: 'subscribe',
  title: 'Target follows the source',

  describe: ({ migration, plan, settings }) =>
    planLanes(migration, 'forward', plan.tables, settings.replication).map(
      ({ names }) =>
        `target: CREATE SUBSCRIPTION ${names.subscription} PUBLICATION ${names.publication} WITH (copy_data = false)`,
    ),

  async observe({ source, target, migration }) {
    const lanes = await existingLanes(source, migration, 'forward');
    const states = await Promise.all(lanes.map((lane) => subscriptionState(target, lane.subscription)));
    const missing = lanes.filter((_, index) => states[index] === undefined);
    const disabled = states.filter((state) => state !== undefined).filter((state) => !state.isEnabled);
    return { satisfied: missing.length + disabled.length === 0, facts: { missing, disabled } };
  },

  actions: (context, { missing, disabled }) => [
    ...missing.map((lane) => ({
      on: 'target' as const,
      does: `CREATE SUBSCRIPTION ${lane.subscription} ... PUBLICATION ${lane.publication} WITH (copy_data = false, create_slot = false)`,
      run: () => follow(context, lane),
    })),
    ...disabled.map(({ name }) => ({ on: 'target' as const, statement: enableSubscriptionSql(name) })),
  ],
};

/** One that somebody has dropped stood where only it knew: what it had taken over since its last word to the slot comes twice. */
async function follow({ source, target, linkConninfo, events }: StepContext, lane: LaneNames): Promise<void> {
  if (await hasTravelled(target, lane.marker))
    await events.emit('warning', {
      code: LINK_ALTERED,
      message: `Subscription ${lane.subscription} was dropped, and is made anew where its slot stands: what it had taken over behind that comes once more`,
      hint: 'Run pgglide verify before a cutover. A row that stands in the way of one that comes again stops the link: pgglide status names it.',
    });
  await createSubscription(target, lane, linkConninfo.source, { enabled: true });
  await noteLane(source, target, lane);
}
