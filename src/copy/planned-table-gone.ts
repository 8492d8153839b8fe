import { PrerequisiteError } from '../domain/errors.ts';

/** A table of the plan that the source does not have, or does not show, any more. */
export const plannedTableGone = (table: string, cause?: unknown): PrerequisiteError =>
  new PrerequisiteError('planned_table_gone', `Table ${table} of the plan is no longer among the source’s`, {
    hint: 'Dropped: drop it on the target, too, then run pgglide sync again: it goes on with the others. Left out by the settings since the first sync: put scope.schemas and scope.exclude back. Renamed: pgglide abort, then pgglide sync.',
    facts: { table },
    cause,
  });
