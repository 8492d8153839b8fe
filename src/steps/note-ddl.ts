import { allEnded } from '../base/async.ts';
import { SIDES, type Side } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import type { Connection } from '../postgres/connection.ts';
import { createEventTriggers, isDdlNoted, isRefused, recordRefusal } from '../postgres/noted-ddl.ts';

/** Sides that have no event triggers yet, and where our role has not been refused them. */
type Facts = readonly Side[];

/**
 * Event triggers on both sides note DDL in pgglide.noted_ddl, so that `status` and `sync --follow` tell it at once; the side
 * that only follows notes nothing. Locks nothing that others wait for. `complete` and `abort` drop them. Nothing depends on
 * them: where our role may not create them the schemas are compared every minute, which is told once.
 */
export const noteDdl: Step<Facts> = {
  id: 'note-ddl',
  title: 'DDL is noticed',

  describe: () => ['both: event triggers that note DDL, where our role may create them'],

  async observe({ source, target }) {
    const missing = await allEnded([isMissing(source), isMissing(target)]);
    const facts = SIDES.filter((_, place) => missing[place]);
    return { satisfied: facts.length === 0, facts };
  },

  actions: (context, facts) => [
    {
      on: 'both',
      does: 'create event triggers, where our role may',
      run: () => createWherePossible(context, facts),
    },
  ],
};

const isMissing = async (connection: Connection): Promise<boolean> =>
  !(await isDdlNoted(connection)) && !(await isRefused(connection));

async function createWherePossible(
  { source, target, events }: StepContext,
  missing: readonly Side[],
): Promise<void> {
  const refused: Side[] = [];
  for (const side of missing) {
    const connection = side === 'source' ? source : target;
    if (await createEventTriggers(connection)) continue;
    await recordRefusal(connection);
    refused.push(side);
  }
  if (refused.length === 0) return;
  await events.emit('warning', {
    code: 'ddl_noticed_late',
    message: `Our role may not create event triggers on the ${refused.join(' and the ')}: DDL there is noticed within a minute or so, not at once`,
    hint: 'Nothing needs to be done. Only superusers (on managed services, those who stand in for them) may create event triggers.',
  });
}
