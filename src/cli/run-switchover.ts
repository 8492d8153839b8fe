/** What cutover, rollback and rehearse share: run it, show it, and mind what the comparison after it found. */

import type { Migration } from '../migration/migration.ts';
import type { SwitchResult } from '../migration/switch.ts';
import { type PlanText, planText } from '../observers/plan-text.ts';
import { switchoverText } from '../observers/switchover-lines.ts';
import type { CommandContext } from './command.ts';
import { type WithMigrationOptions, withMigration } from './with-migration.ts';

export async function runSwitchover(
  context: CommandContext,
  options: WithMigrationOptions,
  work: (migration: Migration) => Promise<SwitchResult | PlanText>,
): Promise<number> {
  return await withMigration(context, options, async (migration) => {
    const result = await work(migration);
    if ('sections' in result) {
      context.output.result(result, (style) => planText(result, style));
      return 0;
    }
    const { verification } = result;
    context.output.result(result, (style) => switchoverText(result, style));
    return verification === undefined || verification.equal ? 0 : 5;
  });
}
