import type { CommandDefinition } from '../command.ts';

export const sync: CommandDefinition = {
  name: 'sync',
  group: 'Migrate',
  summary: 'copy schema and data, build indexes, then follow; safe to re-run (resumes)',
  description:
    'Copies schema and data to the target, builds indexes and constraints, and lets the target follow the source. Stopped at any moment, by Ctrl-C or kill -9, the same command goes on: finished tables are not copied again. The application’s traffic is not touched.',
  options: [
    { flags: '--jobs <n>', description: 'copy jobs at once (copy.jobs)' },
    { flags: '--index-jobs <n>', description: 'index builds at once (copy.indexJobs)' },
    { flags: '--rate-limit <rate>', description: 'such as 200MB/s (copy.rateLimit)' },
  ],
  exitCodes: {
    3: 'check found a blocker',
    8: 'another run is at work',
    10: 'stopped; the same command goes on',
  },
  async run(context, { jobs, indexJobs, rateLimit }) {
    const { withMigration } = await import('../with-migration.ts');
    const { statusText } = await import('../../observers/status.ts');
    const settings = { 'copy.jobs': jobs, 'copy.indexJobs': indexJobs, 'copy.rateLimit': rateLimit };
    return await withMigration(context, { settings }, async (migration) => {
      await migration.sync();
      const status = await migration.status();
      context.output.result(status, (style) => statusText(status, style));
      return 0;
    });
  },
};
