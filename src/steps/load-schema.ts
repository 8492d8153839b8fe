import { PrerequisiteError } from '../domain/errors.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { classifyRestore, type RestoreStage } from '../schema/classify-restore.ts';
import { dumpForTarget } from '../schema/dump-for-target.ts';
import { readSchema } from '../schema/fingerprint/schema-fingerprint.ts';
import { restoreStage } from '../schema/restore-stage.ts';
import type { SchemaStatement } from '../schema/statement.ts';
import {
  countStatements,
  markStatementsDone,
  readOpenStatements,
  saveStatements,
} from '../state/schema-progress.ts';
import { saveClassOf } from '../state/schema-record.ts';

interface Facts {
  readonly isDumped: boolean;
  /** What of pre-data is still to be executed. */
  readonly preData: RestoreStage | undefined;
}

/**
 * Dumps the source's definitions once, keeps them in the state, and executes on the target what must be there before
 * rows come: types, functions, tables with columns, defaults and NOT NULL only. pg_dump takes ACCESS SHARE on every
 * table of the source: nobody waits for it, it may wait for DDL.
 *
 * @throws {PrerequisiteError} `schema_dump_failed`, `schema_statement_failed`, `nothing_to_migrate`
 * @see https://www.postgresql.org/docs/current/app-pgdump.html
 */
export const loadSchema: Step<Facts> = {
  id: 'load-schema',
  title: 'Schema, without keys and indexes',

  describe: () => [
    'source: pg_dump --schema-only',
    'target: types, functions, tables without keys and indexes',
  ],

  async observe({ target, migration }) {
    const { all } = await countStatements(target, migration);
    const open = await readOpenStatements<SchemaStatement>(target, migration, 'pre-data');
    const preData = classifyRestore(open).find((stage) => stage.name === 'pre-data');
    return { satisfied: all > 0 && open.length === 0, facts: { isDumped: all > 0, preData } };
  },

  actions(context, { isDumped, preData }) {
    const { target, migration, settings, signal } = context;
    if (!isDumped) {
      return [
        {
          on: 'source',
          does: 'pg_dump --schema-only, split into statements',
          run: async () => {
            await rememberSource(context);
            const statements = await dumpForTarget(context, settings.source, {
              ...settings.scope,
              signal,
            });
            if (statements.length === 0) throw nothingToMigrate();
            await target.transaction(() =>
              saveStatements(target, migration, statements.filter(isDefinition)),
            );
          },
        },
      ];
    }
    if (preData === undefined) return [];
    return [
      {
        on: 'target',
        does: `execute ${preData.tasks.length} statements (types, functions, tables)`,
        run: () =>
          restoreStage({
            stage: preData,
            connect: () => context.open('target', 'schema'),
            width: 1,
            record: (session, done) => markStatementsDone(session, migration, done),
            signal,
          }),
      },
    ];
  },
};

/** Before the dump, so that what changes from here on is seen when both schemas are first compared, hours later. */
async function rememberSource({ source, target, migration, settings }: StepContext): Promise<void> {
  await readSchema(source, settings.scope, (name, objects) =>
    saveClassOf(target, migration, 'source', name, objects),
  );
}

/** Materialized views are filled when the target has caught up, not before it follows. */
const isDefinition = (statement: SchemaStatement): boolean => statement.kind !== 'MATERIALIZED VIEW DATA';

const nothingToMigrate = (): PrerequisiteError =>
  new PrerequisiteError('nothing_to_migrate', 'The source has nothing in the scope of this migration', {
    hint: 'Check the database’s name, scope.schemas and scope.exclude.',
  });
