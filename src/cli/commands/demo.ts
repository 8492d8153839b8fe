import type { CommandDefinition } from '../command.ts';

export const demo: CommandDefinition = {
  name: 'demo',
  group: 'Start here',
  summary: 'migrate a throw-away 15 → 16 pair under 500 req/s, on this machine',
  description:
    'Starts real PostgreSQL servers, a sample application behind the proxy and a load of requests, and runs a whole migration against them: check, sync, verify, rehearse, cutover, rollback, cutover, report. Needs nothing installed and leaves nothing behind but the report, .pgglide/demo/report.txt and report.html.',
  options: [
    { flags: '--json <file>', description: 'write all figures to a file' },
    { flags: '--keep', description: 'leave everything running, and print how to connect' },
    { flags: '--rows <n>', description: 'rows of the sample database' },
    { flags: '--rate <n>', description: 'requests per second' },
    { flags: '--from <version>', description: 'major version to leave (15)' },
    { flags: '--to <version>', description: 'major version to move to (16)' },
  ],
  async run(context, options) {
    const { runDemo } = await import('../run-demo.ts');
    return await runDemo(context, options);
  },
};
