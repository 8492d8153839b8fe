import type { CommandContext, CommandDefinition } from '../command.ts';

export const abort: CommandDefinition = {
  name: 'abort',
  group: 'Migrate',
  summary: 'before cutover: remove everything we made, on both servers',
  description:
    'Gives the migration up: publications, slots, subscriptions, our schema and everything copied to the target go. The source’s own objects and the traffic are not touched. Says what is left after looking.',
  options: [{ flags: '--target-lost', description: 'the target is gone for good: do without it' }],
  exitCodes: { 7: 'refused: the target is the active side, or not confirmed' },
  async run(context, { targetLost }) {
    if (targetLost === true) return await withoutTarget(context);
    const { keepHeapSmall } = await import('../../base/small-heap.ts');
    const { withMigration } = await import('../with-migration.ts');
    const { confirm } = await import('../confirm.ts');
    const { describeAll } = await import('../../config/server-address.ts');
    const { printable } = await import('../../observers/printable.ts');
    keepHeapSmall();
    return await withMigration(context, {}, async (migration, settings) => {
      await migration.assertMayRun('abort');
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
            : stillThere(leftovers.map(printable)),
      );
      return 0;
    });
  },
};

const stillThere = (leftovers: readonly string[]): string =>
  ['Aborted. Still there:', ...leftovers.map((item) => `  ${item}`)].join('\n');

async function withoutTarget(context: CommandContext): Promise<number> {
  const { settingsFor } = await import('../settings.ts');
  const { confirm } = await import('../confirm.ts');
  const { printable } = await import('../../observers/printable.ts');
  const { abortWithoutTarget } = await import('../../migration/lost-server.ts');
  const settings = await settingsFor(context);
  await confirm(context, {
    what: `This gives up the target of migration "${settings.migration}" for good, with all that was copied to it.`,
    expected: settings.migration,
  });
  const { leftovers } = await abortWithoutTarget(settings);
  context.output.result({ leftovers }, () =>
    leftovers.length === 0
      ? 'Aborted. Nothing of ours is left on the source.'
      : stillThere(leftovers.map(printable)),
  );
  return 0;
}
