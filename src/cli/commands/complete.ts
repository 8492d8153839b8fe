import type { CommandContext, CommandDefinition } from '../command.ts';

export const complete: CommandDefinition = {
  name: 'complete',
  group: 'Migrate',
  summary: 'drop reverse replication and our objects (irreversible)',
  description:
    'Ends the migration: both links and all our objects go, and with them the way back. The old server goes on refusing writes to the migrated tables, because a client that still writes there would lose its writes without knowing.',
  options: [
    { flags: '--drop-fence', description: 'let the old server take writes again' },
    {
      flags: '--unverified',
      description: 'although the last verification found differences, or the target has gone back in time',
    },
    { flags: '--source-lost', description: 'the old server is gone for good: do without it' },
  ],
  exitCodes: { 7: 'refused: wrong phase, differences found, or not confirmed' },
  async run(context, { dropFence, unverified, sourceLost }) {
    if (sourceLost === true) return await withoutSource(context);
    const { withMigration } = await import('../with-migration.ts');
    const { confirm } = await import('../confirm.ts');
    return await withMigration(context, {}, async (migration, settings) => {
      await migration.assertMayRun('complete');
      await confirm(context, {
        what: `This gives up the way back of migration "${settings.migration}" for good.`,
        expected: settings.migration,
      });
      const result = await migration.complete({
        dropFence: dropFence === true,
        unverified: unverified === true,
      });
      context.output.result(result, () =>
        result.fenceKept
          ? 'Complete. The old server still refuses writes to the migrated tables.'
          : 'Complete. The old server takes writes again.',
      );
      return 0;
    });
  },
};

async function withoutSource(context: CommandContext): Promise<number> {
  const { settingsFor } = await import('../settings.ts');
  const { observed } = await import('../observed.ts');
  const { confirm } = await import('../confirm.ts');
  const { completeWithoutSource } = await import('../../migration/lost-server.ts');
  const settings = await settingsFor(context);
  await confirm(context, {
    what: `This gives up the source of migration "${settings.migration}" for good: should it come back, nothing follows on it.`,
    expected: settings.migration,
  });
  await observed(context, settings, (emit) => completeWithoutSource(settings, emit));
  context.output.result(
    { sourceLost: true },
    () => 'Complete. Nothing of ours on the old server was touched.',
  );
  return 0;
}
