/** Program: keeps the pause of a pooler without a lease, and ends it when the process that began it dies or stands still. */

import { withDeadline } from '../base/async.ts';
import { ProcessChannel } from '../base/process-channel.ts';
import { UnreachableError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { Connection } from '../postgres/connection.ts';
import { readMigration } from '../state/migration-row.ts';
import { endRunner, tryRunnerLock } from '../state/runner-lock.ts';
import { openPooler } from '../traffic/open-traffic.ts';
import type { KeeperStart } from './fork-pause-keeper.ts';
import { PauseWatch } from './pause-watch.ts';
import { SILENT_RUNNER_MS, settleFences } from './settle.ts';

/** Requests wait; over a connection that has died without a word they would wait for a quarter of an hour. */
const ANSWER_MS = 5_000;
const answered = <T>(work: Promise<T>): Promise<T> => withDeadline('the answer of a server', ANSWER_MS, work);

let watch: PauseWatch | undefined;

new ProcessChannel(process, async (call, body) => {
  if (call === 'start') watch = watchFor(body as KeeperStart);
  if (call === 'lease') await watch?.lease(body as number);
  if (call === 'committing') await watch?.committing();
  if (call === 'dismiss') watch?.dismiss();
});

function watchFor({ settings, others }: KeeperStart): PauseWatch {
  const { migration } = settings;
  const pooler = openPooler(settings, others);
  const open = (side: Side, database?: string) => {
    const lead = settings[side];
    return Connection.open({ ...lead, database: database ?? lead.database }, { purpose: 'pause keeper' });
  };
  const untilReached = (work: Promise<unknown>): Promise<boolean> =>
    work.then(
      () => true,
      // What else keeps it back (a file that PgBouncer does not take) is for people to see.
      (error: unknown) => !(error instanceof UnreachableError),
    );
  const goOn = (side: Side, epoch: number) => untilReached(pooler.resume(side, epoch));
  return new PauseWatch({
    async goOnInPlace() {
      if (pooler.goOnInPlace !== undefined) return untilReached(pooler.goOnInPlace());
      const { activeSide, epoch } = await pooler.observe();
      return goOn(activeSide, epoch);
    },
    async goOnAsRowSays(silentMs) {
      const isSilent = silentMs > SILENT_RUNNER_MS;
      const endRunnerOlderThanMs = isSilent ? SILENT_RUNNER_MS : undefined;
      if (!(await answered(settleFences({ migration, open, endRunnerOlderThanMs })))) return false;
      await using target = await answered(open('target'));
      // With the lock no other run is in a pause of its own, which this would end.
      if (!(await answered(tryRunnerLock(target, migration)))) {
        if (isSilent) await answered(endRunner(target, migration, SILENT_RUNNER_MS));
        return false;
      }
      const row = await answered(readMigration(target, migration));
      return row === undefined ? false : goOn(row.activeSide, row.epoch);
    },
  });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => {
  void (watch?.ownerGone() ?? Promise.resolve()).finally(() => process.exit(0));
});
