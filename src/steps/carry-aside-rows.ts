import { replaceRows } from '../copy/replace-rows.ts';
import type { AsideTable } from '../domain/aside.ts';
import { qualified } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { asideTables } from '../schema/aside-tables.ts';
import { copiedAside, recordCopiedAside } from '../state/aside-table.ts';

interface Facts {
  readonly wanted: readonly AsideTable[];
  readonly refused: readonly AsideTable[];
}

/**
 * Copies what no link carries: the rows of unlogged tables, and those that users added to an extension's own tables (few,
 * and rarely ours to publish, so they are copied too). Once; the preparation of every switch copies them again. What they
 * hold is read without a lock that anybody waits for.
 *
 * @throws {PrerequisiteError} `rows_not_copied`, `lock_not_available`
 */
export const carryAsideRows: Step<Facts> = {
  id: 'carry-aside-rows',
  title: 'Unlogged and extensions’ rows',

  describe: ({ settings }) => [
    ...(settings.copy.unloggedTables === 'carry' ? ['target: COPY unlogged tables, if there are any'] : []),
    'target: COPY the user’s rows of extensions’ own tables, if there are any',
  ],

  async observe({ source, target, migration, settings }) {
    const { scope, copy } = settings;
    const found = await asideTables(source, target, { scope, unloggedTables: copy.unloggedTables });
    const done = await copiedAside(target, migration);
    const isOpen = (table: AsideTable) => !done.has(qualified(table));
    const facts = { wanted: found.wanted.filter(isOpen), refused: found.refused.filter(isOpen) };
    return { satisfied: facts.wanted.length + facts.refused.length === 0, facts };
  },

  actions: (context, facts) => [
    {
      on: 'both',
      does: `COPY ${facts.wanted.map(qualified).join(', ')}`,
      run: () => carry(context, facts),
    },
  ],
};

async function carry(context: StepContext, { wanted, refused }: Facts): Promise<void> {
  const { settings, target, migration, events, signal } = context;
  for (const table of refused)
    await events.emit('warning', {
      code: 'rows_not_copied',
      message: `Rows of ${qualified(table)} (extension ${table.extension}) stay behind: our role on the target may not replace them`,
      hint: 'Grant it INSERT and DELETE there, or copy them by hand.',
    });
  await replaceRows({
    servers: settings,
    from: 'source',
    to: 'target',
    tables: wanted,
    rateLimitBytesPerSecond: settings.copy.rateLimitBytesPerSecond,
    record: (taking, tables) => recordCopiedAside(taking, migration, tables),
    signal,
  });
  await recordCopiedAside(target, migration, refused);
}
