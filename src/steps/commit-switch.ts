import { sleep } from '../base/async.ts';
import { UnprovenError } from '../domain/errors.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { endBackend } from '../postgres/activity.ts';
import { commitActiveSide, readMigration } from '../state/migration-row.ts';

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
    try {
      await commitActiveSide(context.target, context.migration, context.to, context.epoch);
    } catch (error) {
      if (context.target.lost === undefined) throw error;
      if (!(await wasCommitted(context))) throw error;
    }
    context.facts.isCommitted = true;
  },
};

async function wasCommitted(context: SwitchoverContext): Promise<boolean> {
  const started = performance.now();
  for (;;) {
    try {
      await using fresh = await context.open('target', 'commit point');
      await endBackend(fresh, context.target.backendPid);
      const row = await readMigration(fresh, context.migration);
      return row?.epoch === context.epoch;
    } catch (error) {
      if (performance.now() - started > RESOLVE_MS) {
        throw new UnprovenError(
          'commit_unknown',
          'The target went away while the switch was being committed, so it cannot be proven where clients write',
          {
            hint: 'Bring the target back and run the same command again: it reads the commit point and goes on from there. Until then the proxy refuses clients.',
            cause: error,
          },
        );
      }
      await sleep(100);
    }
  }
}
