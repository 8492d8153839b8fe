import type { CommandDefinition } from '../command.ts';

const DEFAULT_INTERVAL = '2s';
const CLEAR_SCREEN = '\x1b[H\x1b[2J';

export const status: CommandDefinition = {
  name: 'status',
  group: 'Migrate',
  summary: 'phase, per-table progress, lag, WAL held, what to do next',
  description:
    'Shows where the migration stands, read from the servers, and whether DDL has changed a schema since the sync. Changes nothing.',
  options: [
    {
      flags: '-w, --watch [interval]',
      description: `again and again, every ${DEFAULT_INTERVAL} or as given, until Ctrl-C`,
    },
  ],
  async run(context, { watch }) {
    const { withMigration } = await import('../with-migration.ts');
    const { statusText } = await import('../../observers/status.ts');
    const { durationFlag } = await import('../flag-values.ts');
    const { sleep } = await import('../../base/async.ts');
    const { output, signal } = context;
    const isWatching = watch !== undefined;
    const intervalMs = durationFlag('--watch', typeof watch === 'string' ? watch : DEFAULT_INTERVAL);
    return await withMigration(context, {}, async (migration) => {
      for (;;) {
        const now = await migration.status();
        if (isWatching && output.format === 'text' && output.stdout.isTTY) output.print(CLEAR_SCREEN);
        output.result(now, (style) => statusText(now, style));
        if (!isWatching) return 0;
        // Ctrl-C is how watching ends: no error.
        await sleep(intervalMs, signal).catch(() => undefined);
        if (signal.aborted) return 0;
      }
    });
  },
};
