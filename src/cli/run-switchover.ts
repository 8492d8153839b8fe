/** What cutover, rollback and rehearse share: run it, show it, and mind what the comparison after it found. */

import { keepHeapSmall } from '../base/small-heap.ts';
import type { DryRun } from '../migration/dry-run.ts';
import type { Migration } from '../migration/migration.ts';
import type { SwitchResult } from '../migration/switch.ts';
import { planText } from '../observers/plan-text.ts';
import { switchoverText } from '../observers/switchover-lines.ts';
import type { CommandContext } from './command.ts';
import { type WithMigrationOptions, withMigration } from './with-migration.ts';

export async function runSwitchover(
  context: CommandContext,
  options: WithMigrationOptions,
  work: (migration: Migration) => Promise<SwitchResult | DryRun>,
): Promise<number> {
  keepHeapSmall();
  return await withMigration(context, options, async (migration) => {
    const result = await work(migration);
    if ('sections' in result) {
      const { sections, refusal } = result;
      context.output.result({ sections }, (style) => planText({ sections }, style));
      // It ends as the real command would.
      if (refusal !== undefined) throw refusal;
      return 0;
    }
    const { verification } = result;
    context.output.result(result, (style) => switchoverText(result, style));
    return verification === undefined || verification.equal ? 0 : 5;
  });
}
