import type { CommandDefinition } from '../command.ts';

export const completion: CommandDefinition = {
  name: 'completion',
  group: 'Also',
  summary: 'a completion script for bash or zsh',
  description:
    'Prints a script that completes commands and flags. For bash: source <(pgglide completion bash). For zsh: source <(pgglide completion zsh).',
  arguments: [{ name: '<shell>', description: 'bash or zsh', choices: ['bash', 'zsh'] }],
  async run(context, _options, [shell]) {
    const { completionScript } = await import('../completion-script.ts');
    const { GLOBAL_OPTIONS } = await import('../global-options.ts');
    context.output.print(
      completionScript(shell === 'zsh' ? 'zsh' : 'bash', context.commands, GLOBAL_OPTIONS),
    );
    return 0;
  },
};
