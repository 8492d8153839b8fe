import type { CommandDefinition } from '../command.ts';

export const plan: CommandDefinition = {
  name: 'plan',
  group: 'Migrate',
  summary: 'every step and statement that sync and cutover would execute',
  description:
    'Prints what sync and cutover would do from here, statement by statement, made by the same code that does it. Changes nothing.',
  async run(context) {
    const { withMigration } = await import('../with-migration.ts');
    const { planText } = await import('../../observers/plan-text.ts');
    return await withMigration(context, {}, async (migration) => {
      const planned = await migration.plan();
      context.output.result(planned, (style) => planText(planned, style));
      return 0;
    });
  },
};
