/** Opens the migration, shows its events while the work runs, and leaves the terminal and the servers in order. */

import type { Settings } from '../config/settings.ts';
import type { Hooks } from '../hooks/hooks.ts';
import { type Migration, type MigrationOptions, openMigration } from '../migration/migration.ts';
import type { CommandContext } from './command.ts';
import { observed } from './observed.ts';
import { openHooks } from './open-hooks.ts';
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
  const hooks = openHooks(context, settings);
  return observed(context, settings, async (emit) => {
    const options: MigrationOptions = { emit, signal: context.signal };
    try {
      await using migration = await openMigration(settings, hooks ? withHooks(hooks, options) : options);
      const row = await (hooks && migration.row());
      if (row !== undefined) hooks?.knowSide(row.activeSide);
      return await work(migration, settings);
    } finally {
      await hooks?.finish();
    }
  });
}

const withHooks = (hooks: Hooks, { emit, ...options }: MigrationOptions): MigrationOptions => ({
  ...options,
  emit: (event) => {
    emit?.(event);
    hooks.onEvent(event);
  },
  beforeSwitch: (direction, from) => hooks.beforeSwitch(direction, from),
});
