/** A lock that a barrier must wait for, held by nobody for long until the barrier has come: no readiness check sees it. */

import pg from 'pg';
import { sleep } from '../../src/base/async.ts';

const HOLD_MS = 300;
const LOOK_EVERY_MS = 20;

export interface LastingLock extends AsyncDisposable {
  /** When somebody waits for it, who goes on waiting until `release`. */
  readonly isAwaited: Promise<void>;
  release(): Promise<void>;
}

/** Two sessions take turns, and one of them holds it at any moment. `table` is a name as SQL wants it. */
export async function holdLock(config: pg.ClientConfig, table: string): Promise<LastingLock> {
  const sessions = [new pg.Client(config), new pg.Client(config)] as const;
  const watcher = new pg.Client(config);
  const all = [...sessions, watcher];
  await Promise.all(all.map((each) => each.connect()));
  const take = (session: pg.Client) => session.query(`BEGIN; LOCK TABLE ${table} IN ROW EXCLUSIVE MODE`);
  const isWaitedFor = async () =>
    (
      await watcher.query(
        `SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock' AND relation = '${table}'::regclass`,
      )
    ).rows.length > 0;
  let [holder, other]: readonly pg.Client[] = sessions;
  let isOver = false;
  const [first] = sessions;
  await take(first);

  async function takeTurns(): Promise<void> {
    let since = performance.now();
    while (!isOver && !(await isWaitedFor())) {
      await sleep(LOOK_EVERY_MS);
      if (performance.now() - since < HOLD_MS || holder === undefined || other === undefined) continue;
      // Behind somebody who waits it would wait, too: then there is nothing more to do.
      const taken = take(other).then(() => true);
      while (!(await Promise.race([taken, sleep(LOOK_EVERY_MS).then(() => false)]))) {
        if (await isWaitedFor()) return void taken.catch(() => undefined);
      }
      await holder.query('COMMIT');
      [holder, other] = [other, holder];
      since = performance.now();
    }
  }
  const isAwaited = takeTurns();
  const release = async () => {
    isOver = true;
    await Promise.allSettled(all.map((each) => each.end()));
  };
  return { isAwaited, release, [Symbol.asyncDispose]: release };
}
