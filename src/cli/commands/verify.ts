import type { CommandDefinition } from '../command.ts';

export const verify: CommandDefinition = {
  name: 'verify',
  group: 'Migrate',
  summary: 'compare the rows of both sides by checksums, while the application works',
  description:
    'Compares every table on both sides while the application goes on. Only differences that stay when the target has caught up are reported, each with its key and its values. Changes no data, except with --repair: at most 1,000 rows of one table on the side that takes no writes; then all is compared again.',
  options: [
    { flags: '--jobs <n>', description: 'ranges compared at once (verify.jobs)' },
    { flags: '--bits <n>', description: 'width of a row’s hash', choices: ['64', '128'] },
    {
      flags: '--repair <table>',
      description:
        'make the differing rows of this table (schema.table; database.schema.table of several) on the side that follows what they are on the active side; asks first',
    },
    {
      flags: '--delete-rows',
      description: 'with --repair, after a switch: also delete rows that only the side that follows has',
    },
  ],
  tellsFailure: true,
  exitCodes: {
    0: 'both sides are equal',
    5: 'they differ',
    7: '--repair was not confirmed, too many rows differ, or it would delete the last copies of rows',
  },
  async run(context, { jobs, bits, repair, deleteRows }) {
    const { keepHeapSmall } = await import('../../base/small-heap.ts');
    const { withMigration } = await import('../with-migration.ts');
    const { verifyText } = await import('../../observers/verify-text.ts');
    const settings = { 'verify.jobs': jobs, 'verify.bits': bits };
    keepHeapSmall();
    return await withMigration(context, { settings }, async (migration, { migration: name }) => {
      const activeSide = async () => (await migration.row())?.activeSide ?? 'source';
      if (repair !== undefined) {
        const { confirm } = await import('../confirm.ts');
        const { repaired, verification } = await migration.repair(
          String(repair),
          ({ rows, side }) =>
            confirm(context, {
              what: `This overwrites ${rows.length} row(s) of ${repair} on the ${side}.`,
              expected: name,
            }),
          { deleteRows: deleteRows === true },
        );
        const active = await activeSide();
        context.output.result({ ...verification, repaired }, (style) =>
          [`Repaired ${repaired} row(s) of ${repair}.`, verifyText(verification, active, style)].join('\n'),
        );
        return verification.summary.equal ? 0 : 5;
      }
      const result = await migration.verify();
      const active = await activeSide();
      context.output.result(result, (style) => verifyText(result, active, style));
      return result.summary.equal ? 0 : 5;
    });
  },
};
