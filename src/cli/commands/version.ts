import type { CommandDefinition } from '../command.ts';

export const version: CommandDefinition = {
  name: 'version',
  group: 'Also',
  summary: 'versions of pgglide and Node.js',
  description: 'Prints the versions of pgglide and of the Node.js it runs on.',
  async run(context) {
    const { ownVersion } = await import('../../base/own-version.ts');
    const versions = { pgglide: ownVersion(), node: process.versions.node };
    context.output.result(versions, () => `pgglide ${versions.pgglide} (Node.js ${versions.node})`);
    return 0;
  },
};
