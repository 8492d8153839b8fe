import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { hotRelations, prewarm } from '../postgres/buffer-cache.ts';
import { sqlState } from '../postgres/connection.ts';

/**
 * Reads into the new side's cache what is hot in the old side's, so that the first minute after the switch does not wait
 * for the disk. Only with cutover.prewarm; what is missing for it is told, and the switch goes on. Locks nothing.
 *
 * @see https://www.postgresql.org/docs/current/pgprewarm.html
 */
export const warmCache: SwitchoverStep = {
  id: 'warm-cache',
  title: 'Cache of the new side warmed',
  describe: ({ from, to }) => [
    `with cutover.prewarm: pg_prewarm() on the ${to} of what pg_buffercache shows on the ${from}`,
  ],

  async run(context) {
    if (!context.settings.cutover.prewarm) return 'not asked for';
    try {
      return await warm(context);
    } catch (error) {
      if (sqlState(error) === undefined) throw error;
      await tell(context, (error as Error).message, 'GRANT pg_monitor to our role on both sides');
      return 'not possible';
    }
  },
};

async function warm(context: SwitchoverContext): Promise<string> {
  const { oldSide, newSide, from, to } = context;
  const hot = await hotRelations(oldSide);
  if (hot === undefined) return missing(context, 'pg_buffercache', from);
  const count = await prewarm(newSide, hot);
  return count === undefined ? missing(context, 'pg_prewarm', to) : `${count} of ${hot.length} hot relations`;
}

async function missing(context: SwitchoverContext, extension: string, side: string): Promise<string> {
  const reason = `extension ${extension} is not installed in the database of the ${side}`;
  await tell(context, reason, 'CREATE EXTENSION on both sides, then pgglide verify');
  return `${extension} is missing`;
}

const tell = ({ events }: SwitchoverContext, reason: string, remedy: string): Promise<void> =>
  events.emit('warning', {
    code: 'not_prewarmed',
    message: `The cache was not warmed: ${reason}`,
    hint: `${remedy}; or leave cutover.prewarm off.`,
  });
