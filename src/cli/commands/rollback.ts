import type { CommandDefinition } from '../command.ts';

export const rollback: CommandDefinition = {
  name: 'rollback',
  group: 'Migrate',
  summary: 'send traffic back to the source, losing nothing',
  description:
    'The cutover with the sides swapped: every write made on the target is on the source before traffic resumes there. Afterwards the target follows again; cutover and rollback may be repeated.',
  options: [
    {
      flags: '--dry-run',
      description: 'check the guards and print what would be done; ends as the real one would now',
    },
    {
      flags: '--unverified',
      description: 'although the last verification since the cutover found differences',
    },
  ],
  tellsFailure: true,
  exitCodes: {
    5: 'switched, but the exact comparison found differences',
    6: 'given up; traffic is where it was',
    7: 'refused: wrong phase, or differences are known',
    20: 'a human is needed',
  },
  async run(context, { dryRun, unverified }) {
    const { runSwitchover } = await import('../run-switchover.ts');
    const isDry = dryRun === true;
    return await runSwitchover(context, {}, (migration) =>
      migration.rollback({ dryRun: isDry, unverified: unverified === true }),
    );
  },
};
