import type { CommandDefinition } from '../command.ts';

export const config: CommandDefinition = {
  name: 'config',
  group: 'Also',
  summary: 'the effective configuration, without secrets',
  description:
    'What file, environment and flags come to, with units resolved and libpq’s defaults applied. Passwords are shown as ***. Connects to nothing.',
  async run(context) {
    const { settingsFor } = await import('../settings.ts');
    const { withoutSecrets } = await import('../../config/without-secrets.ts');
    const { stringify } = await import('yaml');
    const shown = withoutSecrets(await settingsFor(context));
    context.output.result(shown, () => stringify(shown));
    return 0;
  },
};
