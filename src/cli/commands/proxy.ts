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
      description:
        'where commands come in: unix:PATH, http://HOST:PORT on loopback, https://HOST:PORT (proxy.control)',
    },
    { flags: '--token-file <path>', description: 'what commands over https must know (proxy.tokenFile)' },
    { flags: '--tls-cert <path>', description: 'offers TLS to clients (proxy.tls.cert)' },
    { flags: '--tls-key <path>', description: 'the certificate’s key (proxy.tls.key)' },
    { flags: '--users-file <path>', description: 'verifiers that the servers do not show (proxy.usersFile)' },
    {
      flags: '--immovable <policy>',
      description: 'sessions that cannot be moved: refuse, wait or terminate (proxy.immovable)',
    },
    { flags: '--max-clients <n>', description: 'sessions at once (proxy.limits.maxClients)' },
    {
      flags: '--assume <side>',
      description:
        'source or target: served where neither the target nor the state file can tell, such as before the target exists',
    },
    { flags: '--workers <n>', description: 'processes that share the work (proxy.workers)' },
  ],
  async run(context, flags) {
    const { settingsFor } = await import('../settings.ts');
    const settings = await settingsFor(context, {
      'proxy.listen': flags.listen,
      'proxy.control': flags.control,
      'proxy.tokenFile': flags.tokenFile,
      'proxy.tls.cert': flags.tlsCert,
      'proxy.tls.key': flags.tlsKey,
      'proxy.usersFile': flags.usersFile,
      'proxy.immovable': flags.immovable,
      'proxy.limits.maxClients': flags.maxClients,
      'proxy.workers': flags.workers,
    });
    const { runProxy } = await import('../proxy-runner.ts');
    const { listen, control, tls, ...more } = settings.proxy;
    const { sideFlag } = await import('../flag-values.ts');
    await runProxy({
      ...more,
      migration: settings.migration,
      assume: flags.assume === undefined ? undefined : sideFlag('--assume', String(flags.assume)),
      warn: (message) => context.output.warn(message),
      listen,
      control,
      clientTls: tls,
      source: settings.source,
      target: settings.target,
      signal: context.signal,
      onReady: () => context.output.note(`listening on ${listen}, control ${control}`),
    });
    // Being told to stop is how a proxy ends.
    return 0;
  },
};
