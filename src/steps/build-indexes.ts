import type { Step, StepContext } from '../engine/step.ts';
import { classifyRestore, type RestoreStage } from '../schema/classify-restore.ts';
import { buildTuning, tableSizes } from '../schema/index-builds.ts';
import { restoreStage } from '../schema/restore-stage.ts';
import type { SchemaStatement } from '../schema/statement.ts';
import { countStatements, markStatementsDone, readOpenStatements } from '../state/schema-progress.ts';

interface Facts {
  readonly total: number;
  readonly done: number;
  /** The first stage that is not finished. */
  readonly stage: RestoreStage | undefined;
}

/**
 * What waits for the rows: keys and indexes in parallel, dearest first, then foreign keys, triggers, policies,
 * definitions of views that need a key. Some of it `copy-tables` has done already. Nobody but us uses the target's tables yet. Each statement and its record are one transaction.
 *
 * @throws {PrerequisiteError} `schema_statement_failed`
 */
export const buildIndexes: Step<Facts> = {
  id: 'build-indexes',
  title: 'Keys, indexes, constraints, triggers',

  describe: ({ settings }) => [
    `target: keys, indexes, foreign keys, triggers, policies; ${settings.copy.indexJobs} at once`,
  ],

  async observe({ target, migration, plan }) {
    const { postData: total, donePostData: done } = await countStatements(target, migration);
    const open = await readOpenStatements<SchemaStatement>(target, migration, 'post-data');
    const stage = classifyRestore(open, tableSizes(plan.tables)).find(({ tasks }) => tasks.length > 0);
    return { satisfied: stage === undefined, facts: { total, done, stage } };
  },

  actions(context, facts) {
    const { stage } = facts;
    if (stage === undefined) return [];
    const names = stage.tasks.map((task) => `${task.statement.kind} ${task.statement.name}`);
    return [
      {
        on: 'target',
        does: `${stage.name}: ${names.join(', ')}`,
        run: () => runStage(context, stage, facts),
      },
    ];
  },
};

async function runStage(context: StepContext, stage: RestoreStage, facts: Facts): Promise<void> {
  await restoreStage({
    stage,
    connect: () => context.open('target', 'indexes'),
    width: context.settings.copy.indexJobs,
    record: (session, done) => markStatementsDone(session, context.migration, done),
    onProgress: ({ done, running }) => {
      void context.events.emit('index-progress', { done: facts.done + done, total: facts.total, running });
    },
    tuning: { build: buildTuning },
    signal: context.signal,
  });
}
