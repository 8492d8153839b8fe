/** Opens the migration, shows its events while the work runs, and leaves the terminal and the servers in order. */

import type { Settings } from '../config/settings.ts';
import type { MigrationEvent } from '../domain/event.ts';
import { type Migration, openMigration } from '../migration/migration.ts';
import { logObserver } from '../observers/log.ts';
import type { Observer } from '../observers/observer.ts';
import { plainObserver } from '../observers/plain.ts';
import { terminalObserver } from '../observers/terminal.ts';
import type { CommandContext } from './command.ts';
import { settingsFor } from './settings.ts';

export interface WithMigrationOptions {
  /** Keys that the command's own flags stand for. */
  readonly settings?: Readonly<Record<string, string | boolean | undefined>>;
}

export async function withMigration<T>(
  context: CommandContext,
  options: WithMigrationOptions,
  work: (migration: Migration, settings: Settings) => Promise<T>,
): Promise<T> {
  const settings = await settingsFor(context, options.settings);
  context.signal.throwIfAborted();
  const observers = openObservers(context, settings);
  context.output.beforeWriting = () => {
    for (const observer of observers) observer.clear();
  };
  const emit = (event: MigrationEvent) => {
    for (const observer of observers) observer.onEvent(event);
  };
  try {
    await using migration = await openMigration(settings, { emit, signal: context.signal });
    return await work(migration, settings);
  } finally {
    for (const observer of observers) observer.close();
  }
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
