/** Shows the events of a piece of work on screen or log, and on the Job where we run in a cluster. */

import type { Settings } from '../config/settings.ts';
import type { MigrationEvent } from '../domain/event.ts';
import { logObserver } from '../observers/log.ts';
import type { Observer } from '../observers/observer.ts';
import { plainObserver } from '../observers/plain.ts';
import { terminalObserver } from '../observers/terminal.ts';
import type { CommandContext } from './command.ts';
import { withJobObserver } from './job-observer.ts';

export async function observed<T>(
  context: CommandContext,
  settings: Settings,
  work: (emit: (event: MigrationEvent) => void) => Promise<T>,
): Promise<T> {
  return withJobObserver(context, settings, async (toJob) => {
    const observers = openObservers(context, settings);
    context.output.beforeWriting = () => {
      for (const observer of observers) observer.clear();
    };
    try {
      return await work((event) => {
        for (const observer of observers) observer.onEvent(event);
        toJob(event);
      });
    } finally {
      for (const observer of observers) observer.close();
    }
  });
}

function openObservers({ output, global }: CommandContext, settings: Settings): readonly Observer[] {
  const { stdout, stderr } = output;
  const results = output.format === 'jsonl' ? [logObserver(stdout)] : [];
  if (output.isQuiet) return results;
  if (global.logFormat === 'json') return [...results, logObserver(stderr)];
  const style = output.styleOf(stderr);
  if (stderr.isTTY !== true) return [...results, plainObserver(stderr, style)];
  const { migration, throttle } = settings;
  return [
    ...results,
    terminalObserver(stderr, { migration, walLimitBytes: throttle.maxWalRetainedBytes, style }),
  ];
}
