import type { CommandDefinition } from '../command.ts';

export const events: CommandDefinition = {
  name: 'events',
  group: 'While it runs',
  summary: 'what happened, in order',
  description: 'Prints the journal that the migration keeps on the target. Changes nothing.',
  async run(context) {
    const { withMigration } = await import('../with-migration.ts');
    const { journalText } = await import('../../observers/journal-text.ts');
    return await withMigration(context, {}, async (migration) => {
      const journal = await migration.events();
      if (context.output.format === 'jsonl') {
        for (const event of journal) context.output.print(JSON.stringify(event));
      } else {
        context.output.result(journal, (style) => journalText(journal, style));
      }
      return 0;
    });
  },
};
