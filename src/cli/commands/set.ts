import type { CommandDefinition } from '../command.ts';

export const set: CommandDefinition = {
  name: 'set',
  group: 'While it runs',
  summary: 'change copy.jobs, copy.rateLimit or throttle.maxWalRetained of the running sync',
  description:
    'The running sync takes the value over within a second or two. It stays with the migration and goes before flags and the configuration, also in a sync started later, until it is taken back with KEY=default.',
  arguments: [
    { name: '<assignment>', description: 'such as copy.jobs=2, copy.rateLimit=50MB/s or copy.jobs=default' },
  ],
  exitCodes: { 2: 'no such key, or no value for it', 7: 'refused: no sync has begun' },
  async run(context, _, [assignment = '']) {
    const { parseTunable } = await import('../../config/tunable.ts');
    const { withMigration } = await import('../with-migration.ts');
    const change = parseTunable(assignment);
    return await withMigration(context, {}, async (migration) => {
      context.output.result(await migration.tune(change), () => `Set: ${assignment}`);
      return 0;
    });
  },
};
