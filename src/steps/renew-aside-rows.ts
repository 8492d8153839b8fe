import { replaceRows } from '../copy/replace-rows.ts';
import { qualified } from '../domain/names.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { asideTables } from '../schema/aside-tables.ts';

/**
 * Copies again what no link carries (unlogged tables, the user's rows of extensions' own tables), as late as may be slow:
 * what changes in them after this stays on the old side. Nothing to undo: nobody works on the new side.
 *
 * @throws {PrerequisiteError} `rows_not_copied`, `lock_not_available`
 */
export const renewAsideRows: SwitchoverStep = {
  id: 'renew-aside-rows',
  title: 'Unlogged and extensions’ rows copied',
  describe: ({ from, to }) => [
    `on the ${to}: rows of unlogged tables and the user’s rows of extensions’ own tables, as they are on the ${from}`,
  ],

  async run({ oldSide, newSide, settings, from, to, signal }) {
    const { scope, copy } = settings;
    const { unloggedTables, rateLimitBytesPerSecond } = copy;
    const { wanted, refused } = await asideTables(oldSide, newSide, { scope, unloggedTables });
    if (wanted.length + refused.length === 0) return 'none';
    const rows = await replaceRows({
      servers: settings,
      from,
      to,
      tables: wanted,
      rateLimitBytesPerSecond,
      signal,
    });
    const left = refused.length === 0 ? '' : `, not ${refused.map(qualified).join(', ')}`;
    return `${wanted.length} tables, ${rows} rows${left}`;
  },
};
