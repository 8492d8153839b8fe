import type { CommandDefinition } from '../command.ts';

export const explain: CommandDefinition = {
  name: 'explain',
  group: 'Also',
  summary: 'the background of an error or of a finding',
  description: 'What an error code (password_in_flag) or a finding of check (PGG101) means, and what to do.',
  arguments: [{ name: '<code>', description: 'an error’s code or a finding’s id' }],
  exitCodes: { 2: 'there is no such code' },
  async run(context, _options, [code = '']) {
    const { explanationOf } = await import('../explanation.ts');
    const explanation = explanationOf(code);
    context.output.result(explanation, () =>
      [`${explanation.code}   ${explanation.kind}`, '', explanation.meaning, '', explanation.whatToDo]
        .join('\n')
        .trimEnd(),
    );
    return 0;
  },
};
