import type { CommandDefinition } from '../command.ts';

export const throttle: CommandDefinition = {
  name: 'throttle',
  group: 'While it runs',
  summary: 'let the running copy stand still, or go on',
  description:
    'on: the copy of the running sync stops reading within a second or two, and stays so until off; a sync started meanwhile stands still as well. Its snapshot and slot stay, so the source goes on keeping WAL for it. Replication and the switch are not slowed.',
  arguments: [{ name: '<state>', description: 'on or off', choices: ['on', 'off'] }],
  exitCodes: { 7: 'refused: no sync has begun' },
  async run(context, _, [state]) {
    const { withMigration } = await import('../with-migration.ts');
    return await withMigration(context, {}, async (migration) => {
      const isOn = state === 'on';
      const tuning = await migration.tune({ throttledSince: isOn ? new Date().toISOString() : null });
      context.output.result(tuning, () =>
        isOn
          ? 'Throttled: the copy stands still. To let it go on: pgglide throttle off'
          : 'The copy goes on.',
      );
      return 0;
    });
  },
};
