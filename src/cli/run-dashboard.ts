/** `pgglide dashboard`: the page's server, with eyes on the migration. */

import type { Settings } from '../config/settings.ts';
import type { Facts } from '../dashboard/facts.ts';
import { startDashboard } from '../dashboard/start-dashboard.ts';
import { openMigration } from '../migration/migration.ts';
import type { CommandContext } from './command.ts';
import { Eye } from './eye.ts';
import { settingsFor } from './settings.ts';

export interface DashboardFlags {
  readonly listen: string | undefined;
  readonly tokenFile: string | undefined;
  readonly withTraffic: boolean;
}

/** Serves until it is told to stop. */
export async function runDashboard(context: CommandContext, flags: DashboardFlags): Promise<void> {
  const { output, signal } = context;
  const settings = await settingsFor(context, {
    'dashboard.listen': flags.listen,
    'dashboard.tokenFile': flags.tokenFile,
  });
  await using dashboard = await startDashboard({
    ...settings.dashboard,
    settings: {
      migration: settings.migration,
      staleAfterMs: settings.verify.staleAfterMs,
      requireVerified: settings.cutover.requireVerified,
    },
    facts: factsOf(settings, flags),
  });
  const { url, newToken } = dashboard;
  // The one time that it is shown: after the #, where it goes into no server's log and no Referer.
  const address = newToken === undefined ? url : `${url}#t=${newToken}`;
  const hint = newToken === undefined ? '   (it asks for the token of dashboard.tokenFile)' : '';
  output.result({ url: address }, () => `dashboard ${address}${hint}`);
  output.note('Ctrl-C ends it; the migration goes on.');
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Never more than one look at a time. */
export function factsOf(settings: Settings, { withTraffic }: Pick<DashboardFlags, 'withTraffic'>): Facts {
  const eye = new Eye(() => openMigration(settings));
  return {
    look: (known) =>
      eye.look(async (migration) => ({
        status: await migration.status({ withTraffic, schema: 'at-hand' }),
        tables: known.withTables ? await migration.tables() : undefined,
        journal: await migration.journalAfter(known.afterEventId),
      })),
    rest: () => eye[Symbol.asyncDispose](),
  };
}
