import type { CommandDefinition } from '../command.ts';

const POLL_MS = 1000;

export const wait: CommandDefinition = {
  name: 'wait',
  group: 'While it runs',
  summary: 'block until --for=phase=following|verified|switched',
  description:
    'Blocks until the migration is there, looking once a second. For scripts and pipelines. Changes nothing.',
  options: [
    {
      flags: '--for <condition>',
      description: 'phase=PHASE, verified (the last verification found both sides equal) or switched',
    },
  ],
  exitCodes: { 9: 'not within --timeout' },
  async run(context, options) {
    const { parseCondition, waitFor } = await import('../wait-for.ts');
    const { withMigration } = await import('../with-migration.ts');
    const { durationFlag } = await import('../flag-values.ts');
    const condition = parseCondition(options.for);
    const { timeout } = context.global;
    const timeoutMs = timeout === undefined ? undefined : durationFlag('--timeout', timeout);
    return await withMigration(context, {}, async (migration) => {
      const status = await waitFor(() => migration.status({ schema: 'skipped' }), condition, {
        timeoutMs,
        intervalMs: POLL_MS,
        signal: context.signal,
      });
      context.output.result(status, () => `${status.migration}: ${condition.text}`);
      return 0;
    });
  },
};
