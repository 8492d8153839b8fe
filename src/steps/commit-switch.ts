import { DeadlineError, sleep, withDeadline } from '../base/async.ts';
import { UnprovenError } from '../domain/errors.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { endBackend } from '../postgres/activity.ts';
import { commitActiveSide, readMigration } from '../state/migration-row.ts';

/** An answer takes milliseconds. A network that breaks without a word would be waited for as long as TCP does, a quarter of an hour. */
const ANSWER_MS = 5_000;
/** How long the truth is looked for when the commit's answer was lost. */
const RESOLVE_MS = 10_000;

/**
 * THE COMMIT POINT: one UPDATE on the target. Before it every failure goes back to the old side, after it every
 * failure goes forward. When its answer is lost, the session that may still be committing is ended, and the row is
 * read until it tells which of the two happened.
 *
 * @throws {UnprovenError} `commit_unknown`: the target cannot be read, so nobody knows
 */
export const commitSwitch: SwitchoverStep = {
  id: 'commit-switch',
  title: 'Commit point: the active side changes',
  isForAll: true,
  describe: ({ to }) => [
    `on the target: UPDATE pgglide.migration SET active_side = '${to}', epoch = epoch + 1`,
  ],

  async run(context) {
    const { target, migration, to, epoch } = context;
    try {
      await withDeadline(commitSwitch.title, ANSWER_MS, commitActiveSide(target, migration, to, epoch));
    } catch (error) {
      if (error instanceof DeadlineError) target.destroy();
      else if (target.lost === undefined) throw error;
      if (!(await wasCommitted(context))) throw error;
    }
    context.facts.isCommitted = true;
  },
};

async function wasCommitted(context: SwitchoverContext): Promise<boolean> {
  const started = performance.now();
  for (;;) {
    try {
      return await withDeadline('the migration’s row', RESOLVE_MS, readOutcome(context));
    } catch (error) {
      // The timer may be ahead of the clock by a little, and then it would be waited for as long again.
      if (error instanceof DeadlineError || performance.now() - started > RESOLVE_MS) {
        throw new UnprovenError(
          'commit_unknown',
          'The target went away while the switch was being committed, so it cannot be proven where clients write',
          {
            hint: 'Bring the target, or the network to it, back and run the same command again: it reads the commit point and goes on from there. A proxy that reaches the target goes on by itself; until then clients wait there, and are refused in the end.',
            cause: error,
          },
        );
      }
      await sleep(100);
    }
  }
}

async function readOutcome(context: SwitchoverContext): Promise<boolean> {
  await using fresh = await context.open('target', 'commit point');
  await endBackend(fresh, context.target.backendPid);
  const row = await readMigration(fresh, context.migration);
  return row?.epoch === context.epoch;
}
