import { planLanes } from '../domain/lanes.ts';
import type { LaneNames } from '../domain/names.ts';
import type { Step } from '../engine/step.ts';
import { existingLanes } from '../postgres/lane.ts';
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
      run: () => createSubscription(context.target, lane, context.linkConninfo.source, { enabled: true }),
    })),
    ...disabled.map(({ name }) => ({ on: 'target' as const, statement: enableSubscriptionSql(name) })),
  ],
};
