import type { CommandDefinition } from '../command.ts';

export const cutover: CommandDefinition = {
  name: 'cutover',
  group: 'Migrate',
  summary: 'pause traffic, drain, switch to the target, resume',
  description:
    'Moves traffic to the target: requests wait while the last changes drain, none is refused. Past the pause budget, or when anything fails before the commit point, traffic goes on where it was. Reverse replication is ready before traffic resumes, so that rollback loses nothing.',
  options: [
    {
      flags: '--dry-run',
      description: 'check the guards and print what would be done; ends as the real one would now',
    },
    { flags: '--at <moment>', description: 'wait until then: 2026-11-30T03:00Z' },
    {
      flags: '--auto',
      description: 'wait until verified, caught up and in nobody’s way, then cut over; with --at not before',
    },
    { flags: '--unverified', description: 'although no fresh verification found both sides equal' },
    { flags: '--pause-budget <duration>', description: 'how long requests may wait (cutover.pauseBudget)' },
  ],
  tellsFailure: true,
  exitCodes: {
    5: 'switched, but the exact comparison found differences',
    6: 'given up, or a guard of link, lag, transactions, schema or roles is not met; traffic is where it was',
    7: 'refused: wrong phase, not verified, or the hook before-cutover says no',
    20: 'a human is needed: cannot prove where clients write',
  },
  async run(context, { dryRun, unverified, pauseBudget, at, auto }) {
    const { momentFlag } = await import('../start-time.ts');
    const { runSwitchover } = await import('../run-switchover.ts');
    const { scheduledCutover } = await import('../scheduled-cutover.ts');
    const atMs = at === undefined ? undefined : momentFlag('--at', String(at));
    const isDry = dryRun === true;
    const settings = { 'cutover.pauseBudget': pauseBudget };
    const cutOver = () =>
      runSwitchover(context, { settings }, (migration) =>
        migration.cutover({ dryRun: isDry, unverified: unverified === true }),
      );
    if (isDry || (atMs === undefined && auto !== true)) return await cutOver();
    const schedule = { atMs, auto: auto === true, settings, unverified: unverified === true };
    return await scheduledCutover(context, schedule, cutOver);
  },
};
