import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { hotRelations, prewarm } from '../postgres/buffer-cache.ts';

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
    const { settings, oldSide, newSide, from, to } = context;
    if (!settings.cutover.prewarm) return 'not asked for';
    const hot = await hotRelations(oldSide);
    if (hot === undefined) return missing(context, 'pg_buffercache', from);
    const count = await prewarm(newSide, hot);
    return count === undefined
      ? missing(context, 'pg_prewarm', to)
      : `${count} of ${hot.length} hot relations`;
  },
};

async function missing({ events }: SwitchoverContext, extension: string, side: string): Promise<string> {
  await events.emit('warning', {
    code: 'not_prewarmed',
    message: `The cache was not warmed: extension ${extension} is not installed in the database of the ${side}`,
    hint: 'CREATE EXTENSION on both sides, then pgglide verify; or leave cutover.prewarm off.',
  });
  return `${extension} is missing`;
}
