/** A cutover that does not begin at once: at a moment (`--at`), as soon as everything is there (`--auto`), or the one after the other. */

import { sleep } from '../base/async.ts';
import { openMigration } from '../migration/migration.ts';
import type { StatusOptions } from '../migration/status.ts';
import type { MigrationStatus } from '../observers/status.ts';
import type { CommandContext, OptionValues } from './command.ts';
import { settingsFor } from './settings.ts';
import { untilMoment } from './start-time.ts';
import { type CutoverLimits, mayPass, missingFor, untilReady } from './until-ready.ts';

export interface Schedule {
  /** In ms since 1970. */
  readonly atMs: number | undefined;
  readonly auto: boolean;
  /** Keys that the command's own flags stand for. */
  readonly settings: OptionValues;
  readonly unverified: boolean;
}

const LOOK_EVERY_MS = 5_000;
/** The guards saw what the look from outside did not: each attempt stands in the journal. */
const REST_MS = 30_000;

/** Holds no lock and no session while it waits. `cutover` is what it waits to do; its exit code is the result. */
export async function scheduledCutover(
  context: CommandContext,
  { atMs, auto, settings: more, unverified }: Schedule,
  cutover: () => Promise<number>,
): Promise<number> {
  const { signal, output } = context;
  const settings = await settingsFor(context, more);
  const limits: CutoverLimits = {
    requireVerified: settings.cutover.requireVerified && !unverified,
    staleAfterMs: settings.verify.staleAfterMs,
    maxLagMs: settings.cutover.pauseBudgetMs / 2,
  };
  /** Each opens the migration anew: only the first compares the schemas. */
  const look = async (schema: StatusOptions['schema'] = 'skipped'): Promise<MigrationStatus> => {
    await using migration = await openMigration(settings, { signal });
    return await migration.status({ schema });
  };
  if (atMs !== undefined) {
    output.note(scheduleText(atMs, missingFor(await look('awaited'), limits)));
    await untilMoment(atMs, signal);
  }
  for (;;) {
    if (!auto) return cutover();
    const tell = (waitingFor: string) => output.note(`Cutover waits: ${waitingFor}`);
    await untilReady({ look, limits, tell, intervalMs: LOOK_EVERY_MS, signal });
    try {
      return await cutover();
    } catch (error) {
      if (!mayPass(error)) throw error;
      output.note(`Cutover waits: ${error.message}`);
      await sleep(REST_MS, signal);
    }
  }
}

function scheduleText(atMs: number, missing: readonly string[]): string {
  const when = new Date(atMs).toISOString().replace('.000Z', 'Z');
  const now = missing.length === 0 ? 'Nothing is missing now' : `Missing as of now: ${missing.join('; ')}`;
  return `Cutover at ${when}; nothing is done before, Ctrl-C calls it off. ${now}.`;
}
