import type { CommandDefinition } from '../command.ts';

export const report: CommandDefinition = {
  name: 'report',
  group: 'Also',
  summary: 'text or JSON account of the migration',
  description:
    'Versions, timeline, rows and bytes, fingerprints of every table, each switchover with its steps and waits, and how to return. --format json gives the same as data. Changes nothing.',
  options: [{ flags: '--output <file>', description: 'write it to a file instead of stdout' }],
  async run(context, { output: file }) {
    const { withMigration } = await import('../with-migration.ts');
    const { reportText } = await import('../../observers/report-text.ts');
    return await withMigration(context, {}, async (migration) => {
      const data = await migration.report();
      const isJson = context.output.format !== 'text';
      const text = isJson ? JSON.stringify(data, undefined, 2) : reportText(data);
      if (typeof file === 'string') {
        const { writeResultFile } = await import('../result-file.ts');
        writeResultFile(file, context.cwd, `${text}\n`);
        context.output.note(`Written: ${file}`);
      } else {
        context.output.print(text);
      }
      return 0;
    });
  },
};
