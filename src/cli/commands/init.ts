import type { CommandDefinition } from '../command.ts';

export const init: CommandDefinition = {
  name: 'init',
  group: 'Start here',
  summary: 'write a commented pgglide.yaml',
  description:
    'Writes a configuration file with every key, its default and its meaning. --source, --target and --migration are filled in; a file that is there is never overwritten.',
  exitCodes: { 2: 'the file is there already' },
  async run(context) {
    const { configTemplate } = await import('../../config/template.ts');
    const { layer } = await import('../../config/layers.ts');
    const { DEFAULT_CONFIG_FILE } = await import('../../config/config-file.ts');
    const { writeResultFile } = await import('../result-file.ts');
    const { config, migration, source, target } = context.global;
    // Only for what it refuses: a password in a flag, a connection string that cannot be read.
    layer({}, {}, { source, target });
    const file = config ?? DEFAULT_CONFIG_FILE;
    writeResultFile(file, context.cwd, configTemplate({ migration, source, target }), false);
    context.output.result(
      { file },
      () => `Written: ${file}   Next: name both servers in it, then pgglide check`,
    );
    return 0;
  },
};
