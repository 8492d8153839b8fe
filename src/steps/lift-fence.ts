import { DeadlineError, sleep, withDeadline } from '../base/async.ts';
import { RefusedError } from '../domain/errors.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { endBackend } from '../postgres/activity.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { liftFenceSql } from '../postgres/fence.ts';
import { list, sql } from '../postgres/sql.ts';
import { disableSubscriptionSql } from '../postgres/subscription.ts';
import { readMigration, switchedMeanwhile } from '../state/migration-row.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';

/** A new side that crashed just after the commit point gets this long to come back while requests wait. */
const RETRY_MS = 30_000;
/** Longer than an answer takes: requests wait for it. */
const ANSWER_MS = 5_000;

/**
 * Lets writes into the new side, after the commit point only, so that never both sides take writes, and commits what
 * open-new-side has prepared, or does it anew after a crash.
 *
 * @throws {RefusedError} `epoch_moved`: another run took over while this one stood still, and has switched back
 * @throws {LockedError} `another_runner`: one that took over is still at it
 */
export const liftFence: SwitchoverStep = {
  id: 'lift-fence',
  title: 'New side takes writes',
  describe: ({ to }) => [`on the ${to}: ${liftFenceSql().text}, COMMIT the disabled link`],

  async run(context) {
    const started = performance.now();
    if (await committedWhatWasPrepared(context)) return;
    for (;;) {
      try {
        return await withDeadline(liftFence.title, RETRY_MS, liftAnew(context));
      } catch (error) {
        if (error instanceof RefusedError || performance.now() - started > RETRY_MS) throw error;
        await sleep(200);
      }
    }
  },
};

async function committedWhatWasPrepared({ facts }: SwitchoverContext): Promise<boolean> {
  if (!facts.liftHeld || facts.lift === undefined) return false;
  facts.liftHeld = false;
  const committed = facts.lift.script(sql`${liftFenceSql()}; COMMIT`);
  try {
    await withDeadline(liftFence.title, ANSWER_MS, committed);
    return true;
  } catch {
    return false;
  }
}

async function liftAnew(context: SwitchoverContext): Promise<void> {
  await using session = await context.open(context.to, 'fence');
  const { lift } = context.facts;
  // Its locks stand for as long as the server does not know that it is lost.
  if (lift !== undefined) await endBackend(session, lift.backendPid);
  const disable = context.outLanes.map((lane) => disableSubscriptionSql(lane.subscription));
  await whileRunner(context, () => withBriefLock(session, list([...disable, liftFenceSql()], '; ')));
}

/**
 * For work in a session that was opened before: whoever takes over ends the runner's session first and such sessions behind it,
 * so that either this finds out, or the work does.
 */
async function whileRunner({ lead, epoch }: SwitchoverContext, work: () => Promise<void>): Promise<void> {
  if (lead.target.lost === undefined) {
    await assertAnswers(lead.target);
    return work();
  }
  // Its server has crashed, or the network: the lock went with it, and whoever had it since may have switched back.
  await using session = await lead.open('target', 'control');
  await endBackend(session, lead.target.backendPid);
  await takeRunnerLock(session, lead.migration);
  const row = await readMigration(session, lead.migration);
  if (row?.epoch !== epoch) throw switchedMeanwhile(lead.migration, epoch);
  await work();
}

async function assertAnswers(target: Connection): Promise<void> {
  const answer = target.query(sql`SELECT 1 AS alive`);
  await withDeadline('the runner’s session', ANSWER_MS, answer).catch((error: unknown) => {
    if (error instanceof DeadlineError) target.destroy();
    throw error;
  });
}
