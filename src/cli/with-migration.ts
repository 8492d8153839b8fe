/** Opens the migration, shows its events while the work runs, and leaves the terminal and the servers in order. */

import type { Settings } from '../config/settings.ts';
import { type Migration, openMigration } from '../migration/migration.ts';
import type { CommandContext } from './command.ts';
import { observed } from './observed.ts';
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
  return observed(context, settings, async (emit) => {
    await using migration = await openMigration(settings, { emit, signal: context.signal });
    return await work(migration, settings);
  });
}
