import type { Phase } from '../../domain/phase.ts';
import type { CommandDefinition } from '../command.ts';

export const check: CommandDefinition = {
  name: 'check',
  group: 'Migrate',
  summary: 'read-only preflight of both servers: what would stop us, and the fix',
  description:
    'Looks at both servers and says what would stop the migration or make it worse, each with the SQL that mends it. Changes nothing. --verbose lists what passed, too; the background of a finding: pgglide explain PGG101.',
  options: [{ flags: '--strict', description: 'warnings count as blockers (exit code 3)' }],
  exitCodes: {
    0: 'nothing stands in the way; there may be warnings',
    3: 'a blocker, or with --strict a warning',
  },
  async run(context, options) {
    const { keepHeapSmall } = await import('../../base/small-heap.ts');
    const { withMigration } = await import('../with-migration.ts');
    const { describeAll } = await import('../../config/server-address.ts');
    const { checkText, summarize } = await import('../../observers/check-text.ts');
    keepHeapSmall();
    return await withMigration(context, {}, async (migration, { source, target, otherDatabases }) => {
      const findings = await migration.check();
      const phase = (await migration.row())?.phase ?? 'new';
      const summary = summarize(findings);
      context.output.result({ summary, findings }, (style) =>
        [
          `Source  ${describeAll(source, otherDatabases)}   TLS ${source.sslMode}, as ${source.user}`,
          `Target  ${describeAll(target, otherDatabases)}   TLS ${target.sslMode}, as ${target.user}`,
          checkText(findings, context.global.verbose === true, afterCheck(phase), style),
        ].join('\n'),
      );
      return summary.blockers > 0 || (options.strict === true && summary.warnings > 0) ? 3 : 0;
    });
  },
};

/** Once the rows are copied, `status` knows more. */
const afterCheck = (phase: Phase): string =>
  phase === 'following' || phase === 'switched' ? 'pgglide status' : 'pgglide sync';
