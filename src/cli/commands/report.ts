import type { ReportData } from '../../observers/report.ts';
import type { CommandDefinition, GlobalOptions } from '../command.ts';

type Format = NonNullable<GlobalOptions['format']>;

export const report: CommandDefinition = {
  name: 'report',
  group: 'Also',
  summary: 'text, JSON or HTML account of the migration',
  description:
    'Versions, timeline, rows and bytes, fingerprints of every table, each switchover with its steps and waits, and how to return. -o json gives the same as data, -o html as one file that needs nothing else: to be looked at in a browser, printed or sent. Changes nothing.',
  options: [
    {
      flags: '--output <file>',
      description: 'write it to a file instead of stdout; the format by its name (.html, .json) without -o',
    },
  ],
  hasHtml: true,
  async run(context, { output: file }) {
    const { withMigration } = await import('../with-migration.ts');
    return await withMigration(context, {}, async (migration) => {
      const format = context.global.format ?? formatOf(String(file ?? ''));
      const text = await rendered(await migration.report(), format);
      if (typeof file === 'string') {
        const { writeResultFile } = await import('../result-file.ts');
        writeResultFile(file, context.cwd, text);
        context.output.note(`Written: ${file}`);
      } else {
        context.output.print(text);
      }
      return 0;
    });
  },
};

function formatOf(file: string): Format {
  if (/\.html?$/i.test(file)) return 'html';
  return /\.json$/i.test(file) ? 'json' : 'text';
}

/** One model, three forms. */
async function rendered(data: ReportData, format: Format): Promise<string> {
  if (format === 'html') {
    const { reportHtml } = await import('../../observers/report-html/page.ts');
    return reportHtml(data);
  }
  if (format !== 'text') return `${JSON.stringify(data, undefined, 2)}\n`;
  const { reportText } = await import('../../observers/report-text.ts');
  return `${reportText(data)}\n`;
}
