/** The migration's row, where a command cannot do without. */

import { RefusedError, UnexpectedError } from '../domain/errors.ts';
import type { Command } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import { mayRun, type Session } from './session.ts';

export type PlannedRow = MigrationRow & { readonly plan: Plan };
export type Standing = Omit<MigrationRow, 'plan'>;

/** For who keeps the row for long: the plan of thousands of tables is megabytes, and soon another one. */
export function withoutPlan({ plan, ...standing }: MigrationRow): Standing {
  return standing;
}

/** For what was seen of the servers since the row was read: no switch has begun meanwhile, or gone by. */
export async function stillStands(session: Session, { epoch }: Standing): Promise<boolean> {
  const now = await session.lead.row();
  return now?.epoch === epoch && now.switchover === undefined;
}

/** @throws {RefusedError} `wrong_phase`, `databases_joined` */
export async function requireRow(session: Session, command: Command): Promise<PlannedRow> {
  const row = await session.row();
  mayRun(command, row?.phase ?? 'new');
  const planned = withPlan(row);
  assertNoneJoined(session, planned);
  return planned;
}

/** Of a database that moves with the lead, after the lead's has been required. @throws {UnexpectedError} `plan_missing` */
export const requirePlan = async (session: Session): Promise<PlannedRow> => withPlan(await session.row());

function withPlan(row: MigrationRow | undefined): PlannedRow {
  if (row?.plan === undefined)
    throw new UnexpectedError('plan_missing', 'The migration’s row holds no plan', {});
  return { ...row, plan: row.plan };
}

/** What is not copied must not be switched: the application would find it empty. */
function assertNoneJoined({ database: lead, others }: Session, { plan, activeSide }: PlannedRow): void {
  const known = new Set(plan.otherDatabases);
  const joined = others.map(({ database }) => database).filter((database) => !known.has(database));
  if (joined.length === 0) return;
  const without = `databases: [${[lead, ...known].join(', ')}]`;
  throw new RefusedError('databases_joined', `Not copied yet: database ${joined.join(', ')}`, {
    hint:
      activeSide === 'source'
        ? 'It has joined the configuration (or, with "all", the source) since the sync: pgglide sync adds it.'
        : `It has joined the configuration (or, with "all", the source) since the sync, and the target is active: no database can be added before a rollback. Go on without it: ${without}. It can move in a migration of its own (--migration).`,
    facts: { joined },
  });
}
