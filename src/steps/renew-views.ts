import { qualified } from '../domain/names.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { sqlState } from '../postgres/connection.ts';
import { type MaterializedView, readMaterializedViews, refreshView } from '../schema/materialized-views.ts';

/**
 * Refreshes the new side's materialized views as late as may be slow: after this they are as old as the last moments
 * before the pause, however old the old side's are. CONCURRENTLY where a unique index allows it. A view that cannot be
 * refreshed is told, not a reason to stop: it keeps the rows it has. Nothing to undo.
 *
 * @see https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
 */
export const renewViews: SwitchoverStep = {
  id: 'renew-views',
  title: 'Materialized views of the new side refreshed',
  describe: ({ to, from }) => [
    `on the ${to}: REFRESH MATERIALIZED VIEW, each that is populated on the ${from}`,
  ],

  async run(context) {
    const { oldSide, newSide, settings, open, to, signal } = context;
    const [old, own] = await Promise.all([
      readMaterializedViews(oldSide, settings.scope),
      readMaterializedViews(newSide, settings.scope),
    ]);
    const populated = new Set(old.filter((view) => view.isPopulated).map(qualified));
    const wanted = own.filter((view) => populated.has(qualified(view)));
    if (wanted.length === 0) return 'none';
    await using session = await open(to, 'refresh');
    const failed: string[] = [];
    for (const view of wanted) {
      signal.throwIfAborted();
      await refreshView(session, view).catch((error: unknown) => {
        if (sqlState(error) === undefined) throw error;
        failed.push(qualified(view));
        return tell(context, view, error as Error);
      });
    }
    const kept = failed.length === 0 ? '' : `, not ${failed.join(', ')}`;
    return `${wanted.length - failed.length} of ${wanted.length}${kept}`;
  },
};

const tell = ({ events, to }: SwitchoverContext, view: MaterializedView, error: Error): Promise<void> =>
  events.emit('warning', {
    code: 'view_not_refreshed',
    message: `Materialized view ${qualified(view)} keeps its older rows on the ${to}: ${error.message}`,
    hint: 'Refresh it by hand when its cause is mended.',
  });
