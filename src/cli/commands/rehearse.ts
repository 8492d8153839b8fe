import type { CommandDefinition } from '../command.ts';

export const rehearse: CommandDefinition = {
  name: 'rehearse',
  group: 'Migrate',
  summary: 'pause, drain and resume on the old side: the stall, measured, without switching',
  description:
    'Does everything that makes requests wait in a cutover, and then resumes on the old side: the wait of the real one, measured on the real system. Requests wait as long as they would in the cutover.',
  exitCodes: { 6: 'given up within the pause budget; traffic went on where it was' },
  async run(context) {
    const { runSwitchover } = await import('../run-switchover.ts');
    return await runSwitchover(context, {}, (migration) => migration.rehearse());
  },
};
