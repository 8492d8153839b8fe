import type { CommandDefinition } from '../command.ts';

export const verify: CommandDefinition = {
  name: 'verify',
  group: 'Migrate',
  summary: 'compare the rows of both sides by checksums, while the application works',
  description:
    'Compares every table on both sides while the application goes on. Only differences that stay when the target has caught up are reported, each with its key and its values. Changes no data.',
  options: [
    { flags: '--jobs <n>', description: 'ranges compared at once (verify.jobs)' },
    { flags: '--bits <n>', description: 'width of a row’s hash', choices: ['64', '128'] },
  ],
  exitCodes: { 0: 'both sides are equal', 5: 'they differ' },
  async run(context, { jobs, bits }) {
    const { withMigration } = await import('../with-migration.ts');
    const { verifyText } = await import('../../observers/verify-text.ts');
    const settings = { 'verify.jobs': jobs, 'verify.bits': bits };
    return await withMigration(context, { settings }, async (migration) => {
      const result = await migration.verify();
      context.output.result(result, (style) => verifyText(result, style));
      return result.summary.equal ? 0 : 5;
    });
  },
};
