import type { CommandDefinition } from '../command.ts';

export const abort: CommandDefinition = {
  name: 'abort',
  group: 'Migrate',
  summary: 'before cutover: remove everything we made, on both servers',
  description:
    'Gives the migration up: publications, slots, subscriptions, our schema and everything copied to the target go. The source’s own objects and the traffic are not touched. Says what is left after looking.',
  exitCodes: { 7: 'refused: the target is the active side, or not confirmed' },
  async run(context) {
    const { keepHeapSmall } = await import('../small-heap.ts');
    const { withMigration } = await import('../with-migration.ts');
    const { confirm } = await import('../confirm.ts');
    const { describeAll } = await import('../../config/server-address.ts');
    const { printable } = await import('../../observers/printable.ts');
    keepHeapSmall();
    return await withMigration(context, {}, async (migration, settings) => {
      await confirm(context, {
        what: `This removes everything that was copied to ${describeAll(settings.target, settings.otherDatabases)}.`,
        expected: settings.migration,
      });
      const { leftovers, others } = await migration.abort();
      context.output.result({ leftovers, others }, () =>
        others !== undefined
          ? `Nothing of migration "${printable(settings.migration)}" is here. What is, belongs to ${others.map(printable).join(', ')}: leave it, or name it with --migration.`
          : leftovers.length === 0
            ? 'Aborted. Nothing of ours is left on either server.'
            : ['Aborted. Still there:', ...leftovers.map((item) => `  ${printable(item)}`)].join('\n'),
      );
      return 0;
    });
  },
};
