import type { CommandDefinition } from '../command.ts';

export const proxy: CommandDefinition = {
  name: 'proxy',
  group: 'Also',
  summary: 'the built-in pausing proxy',
  description:
    'Stands between application and servers: speaks PostgreSQL’s protocol, and pauses, drains, switches and resumes at the boundaries of transactions when cutover, rollback and rehearse ask for it. Runs until it is told to stop.',
  options: [
    { flags: '--listen <host:port>', description: 'where applications connect (proxy.listen)' },
    {
      flags: '--control <address>',
      description: 'where commands come in: unix:PATH or http://HOST:PORT (proxy.control)',
    },
    { flags: '--workers <n>', description: 'processes that share the work (proxy.workers)' },
  ],
  async run(context, { listen, control, workers }) {
    const { settingsFor } = await import('../settings.ts');
    const settings = await settingsFor(context, {
      'proxy.listen': listen,
      'proxy.control': control,
      'proxy.workers': workers,
    });
    const { runProxy } = await import('../proxy-runner.ts');
    const { listen: clients, control: commands, stateFile } = settings.proxy;
    await runProxy({
      listen: clients,
      control: commands,
      workers: settings.proxy.workers,
      ...(stateFile === undefined ? {} : { stateFile }),
      source: settings.source,
      target: settings.target,
      signal: context.signal,
      onReady: () => context.output.note(`listening on ${clients}, control ${commands}`),
    });
    // Being told to stop is how a proxy ends.
    return 0;
  },
};
