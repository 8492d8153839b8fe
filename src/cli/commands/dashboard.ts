import type { CommandDefinition } from '../command.ts';

export const dashboard: CommandDefinition = {
  name: 'dashboard',
  group: 'While it runs',
  summary: 'serve the live web page',
  description:
    'Serves a page that shows phase, tables, replication, WAL, requests and events as they change, until it is told to stop. It prints the address once, with a token in it; --token-file gives one that stays. Both servers are looked at once a second while a page is open, and not at all otherwise. Changes nothing. docs/dashboard.md is the page about it.',
  options: [
    { flags: '--listen <host:port>', description: 'where it is served (dashboard.listen)' },
    { flags: '--token-file <path>', description: 'what readers must know (dashboard.tokenFile)' },
    {
      flags: '--without-traffic',
      description: 'do not ask the traffic switch, where it cannot be reached from here',
    },
  ],
  exitCodes: { 2: 'the address cannot be listened on, or is open to others without a token' },
  async run(context, { listen, tokenFile, withoutTraffic }) {
    const { runDashboard } = await import('../run-dashboard.ts');
    const text = (value: unknown) => (value === undefined ? undefined : String(value));
    await runDashboard(context, {
      listen: text(listen),
      tokenFile: text(tokenFile),
      withTraffic: withoutTraffic !== true,
    });
    // Being told to stop is how it ends.
    return 0;
  },
};
