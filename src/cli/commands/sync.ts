import type { Lsn } from '../../domain/lsn.ts';
import type { CommandDefinition } from '../command.ts';

export const sync: CommandDefinition = {
  name: 'sync',
  group: 'Migrate',
  summary: 'copy schema and data, build indexes, then follow; safe to re-run (resumes)',
  description:
    'Copies schema and data to the target, builds indexes and constraints, and lets the target follow the source. After a cutover it brings to the source what was made on both sides since. Stopped at any moment, by Ctrl-C or kill -9, the same command goes on: finished tables are not copied again. The application’s traffic is not touched. With --follow it stays until the migration is completed or aborted, tells what goes wrong meanwhile, DDL included, and changes nothing: for the Job in a Kubernetes cluster, whose pod other commands run in.',
  options: [
    { flags: '--jobs <n>', description: 'copy jobs at once (copy.jobs)' },
    { flags: '--index-jobs <n>', description: 'index builds at once (copy.indexJobs)' },
    {
      flags: '--skip-lsn <lsn>',
      description:
        'leave out the transaction that the target stopped at (asks first; superuser, 15 or newer)',
    },
    { flags: '--rate-limit <rate>', description: 'such as 200MB/s (copy.rateLimit)' },
    { flags: '--follow', description: 'stay and watch until the migration is completed or aborted' },
  ],
  tellsFailure: true,
  exitCodes: {
    3: 'check found a blocker',
    7: 'refused: --skip-lsn names another transaction, or was not confirmed',
    8: 'another run is at work',
    10: 'stopped; the same command goes on',
    11: 'the target stopped at a change it cannot apply, or a slot is lost or was given up',
  },
  async run(context, { jobs, indexJobs, rateLimit, skipLsn, follow: mayStay }) {
    const { keepHeapSmall } = await import('../../base/small-heap.ts');
    const { withMigration } = await import('../with-migration.ts');
    const { confirm } = await import('../confirm.ts');
    const { lsnFlag } = await import('../flag-values.ts');
    const { statusText } = await import('../../observers/status.ts');
    keepHeapSmall();
    const settings = { 'copy.jobs': jobs, 'copy.indexJobs': indexJobs, 'copy.rateLimit': rateLimit };
    const lsn = skipLsn === undefined ? undefined : lsnFlag('--skip-lsn', String(skipLsn));
    const { follow, onceReachable, syncOnce } = await import('../follow.ts');
    const synced = (skip?: Lsn) =>
      withMigration(context, { settings }, async (migration, { migration: name }) => {
        if (skip !== undefined) {
          await confirm(context, {
            what: `This leaves out the whole transaction that finishes at ${skip}: both sides will differ in its rows.`,
            expected: name,
          });
        }
        const work = () => migration.sync(skip === undefined ? {} : { skipLsn: skip });
        await (mayStay === true ? syncOnce(context, migration, work) : work());
        const status = await migration.status({ schema: 'skipped' });
        context.output.result(status, (style) => statusText(status, style));
        return 0;
      });
    if (mayStay !== true) return await synced(lsn);
    const exitCode = await onceReachable(context, () => synced(lsn));
    await follow(context, () => synced());
    return exitCode;
  },
};
