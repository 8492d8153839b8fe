/** The migration's row, where a command cannot do without. */

import { UnexpectedError } from '../domain/errors.ts';
import type { Command } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import { mayRun, type Session } from './session.ts';

/** @throws {RefusedError} `wrong_phase` */
export async function requireRow(
  session: Session,
  command: Command,
): Promise<MigrationRow & { readonly plan: Plan }> {
  const row = await session.row();
  mayRun(command, row?.phase ?? 'new');
  if (row?.plan === undefined)
    throw new UnexpectedError('plan_missing', 'The migration’s row holds no plan', {});
  return { ...row, plan: row.plan };
}
