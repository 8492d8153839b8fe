import type { CommandDefinition } from '../command.ts';

export const complete: CommandDefinition = {
  name: 'complete',
  group: 'Migrate',
  summary: 'drop reverse replication and our objects (irreversible)',
  description:
    'Ends the migration: both links and all our objects go, and with them the way back. The old server goes on refusing writes to the migrated tables, because a client that still writes there would lose its writes without knowing.',
  options: [{ flags: '--drop-fence', description: 'let the old server take writes again' }],
  exitCodes: { 7: 'refused: wrong phase, or not confirmed' },
  async run(context, { dropFence }) {
    const { withMigration } = await import('../with-migration.ts');
    const { confirm } = await import('../confirm.ts');
    return await withMigration(context, {}, async (migration, settings) => {
      await confirm(context, {
        what: `This gives up the way back of migration "${settings.migration}" for good.`,
        expected: settings.migration,
      });
      const result = await migration.complete({ dropFence: dropFence === true });
      context.output.result(result, () =>
        result.fenceKept
          ? 'Complete. The old server still refuses writes to the migrated tables.'
          : 'Complete. The old server takes writes again.',
      );
      return 0;
    });
  },
};
