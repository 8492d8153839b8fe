import { PrerequisiteError } from '../domain/errors.ts';
import { qualified } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { sqlState } from '../postgres/connection.ts';
import {
  type MaterializedView,
  readMaterializedViews,
  refreshSql,
  refreshView,
} from '../schema/materialized-views.ts';

/**
 * Fills the target's materialized views that are populated on the source, once it has caught up. Those that are not
 * populated stay so. Its time is what the next switch will need before its pause; `plan` shows it.
 *
 * @throws {PrerequisiteError} `view_not_refreshed`
 * @see https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
 */
export const refreshViews: Step<readonly MaterializedView[]> = {
  id: 'refresh-views',
  title: 'Materialized views filled',

  describe: () => ['target: REFRESH MATERIALIZED VIEW, each that is populated on the source'],

  async observe({ source, target, settings }) {
    const [there, here] = await Promise.all([
      readMaterializedViews(source, settings.scope),
      readMaterializedViews(target, settings.scope),
    ]);
    const populated = new Set(there.filter((view) => view.isPopulated).map(qualified));
    const facts = here.filter((view) => !view.isPopulated && populated.has(qualified(view)));
    return { satisfied: facts.length === 0, facts };
  },

  actions: (context, views) => [
    {
      on: 'target',
      does: views.map((view) => refreshSql(view).text).join('; '),
      run: () => refreshAll(context, views),
    },
  ],
};

async function refreshAll(context: StepContext, views: readonly MaterializedView[]): Promise<void> {
  await using session = await context.open('target', 'refresh');
  for (const view of views) {
    context.signal.throwIfAborted();
    try {
      await refreshView(session, view);
    } catch (error) {
      if (sqlState(error) === undefined) throw error;
      throw new PrerequisiteError(
        'view_not_refreshed',
        `Materialized view ${qualified(view)} cannot be refreshed on the target: ${(error as Error).message}`,
        {
          hint: 'Mend it on both sides (often a function that needs a search_path: ALTER FUNCTION ... SET search_path), or name the view in scope.exclude; then run pgglide sync again.',
          cause: error,
        },
      );
    }
  }
}
