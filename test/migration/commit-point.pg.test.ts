/** The network falls silent in the pause: on the way to the old side, or on that to the target, just behind the commit point's one UPDATE. */

import { describe, expect } from 'vitest';
import type { ServerAddress } from '../../src/config/server-address.ts';
import { bound, openSession, type Scene } from '../support/migration.ts';
import { type Shared, test } from '../support/pair.ts';
import { silenceAfter } from '../support/silence.ts';

const COMMIT_POINT = 'SET active_side';

let app: string;

test.beforeAll(async ({ shared: { source, scene } }) => {
  app = `${source.name}_app`;
  await source.exec(`CREATE ROLE ${app} LOGIN PASSWORD 'app';
    CREATE TABLE public.account (id serial PRIMARY KEY, balance int);
    GRANT ALL ON ALL TABLES IN SCHEMA public TO ${app}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${app}`);
  await scene.sync();
});

/** The tool's way to the target. */
function reach(scene: Scene, target: ServerAddress): void {
  scene.settings = { ...scene.settings, target };
}

/** A request that begins now, and the major version that answers it. */
async function served({ scene: { proxy }, source }: Shared): Promise<string> {
  const client = await openSession({ ...source.address, ...proxy, user: app, password: 'app' });
  const { rows } = await client.query<{ v: string }>(
    "INSERT INTO account (balance) VALUES (1) RETURNING split_part(current_setting('server_version'), '.', 1) AS v",
  );
  await client.end();
  return rows[0]?.v ?? '';
}

/** What could not be undone, by the step's title. */
const notUndone = ({ events }: Scene): string[] =>
  events.flatMap(({ type, data }) =>
    type === 'warning' && data.code === 'undo_failed' ? [data.message] : [],
  );

/** The same command, with the network whole again: that is all that is left to do; then the next test's way back. */
async function goesForward({ scene, target }: Shared, epochBefore: number): Promise<void> {
  reach(scene, target.address);
  const { problems } = await scene.status();
  expect(problems.filter((problem) => !problem.startsWith('a cutover was interrupted'))).toEqual([]);
  const { summary } = await scene.cutover();
  expect(summary).toMatchObject({ direction: 'cutover', to: 'target', epoch: epochBefore + 1 });
  await scene.rollback();
}

describe('the answer of the commit point does not come', () => {
  test('and the target cannot be asked: nobody knows (exit code 20), and the proxy finds out', async ({
    shared,
  }) => {
    const { scene, target } = shared;
    const { epoch } = await scene.status();
    await using silence = await silenceAfter(COMMIT_POINT, target.address, 'are silent too');
    reach(scene, { ...target.address, port: silence.port, connectTimeoutMs: 1_000 });
    await expect(scene.cutover()).rejects.toMatchObject({
      code: 'commit_unknown',
      exitCode: 20,
    });
    expect(silence.hasBegun).toBe(true);
    expect(await served(shared)).toBe('16');

    await goesForward(shared, epoch);
  });

  test('and the target tells a new session that it was written: forward', async ({ shared }) => {
    const { scene, target } = shared;
    const { epoch } = await scene.status();
    await using silence = await silenceAfter(COMMIT_POINT, target.address, 'pass');
    reach(scene, { ...target.address, port: silence.port });
    const leases: number[] = [];
    const cutover = scene.run((migration) => migration.cutover(), {
      traffic: (real) => ({
        ...bound(real),
        renew: (leaseMs) => {
          leases.push(leaseMs);
          return real.renew(leaseMs);
        },
      }),
    });
    // What comes after the resume needs the session that was lost.
    await expect(cutover).rejects.toMatchObject({ code: 'server_lost' });
    // While it waits for the commit point, and again for the fence: the network may be broken to us alone.
    expect(leases.filter((leaseMs) => leaseMs === 1)).toHaveLength(2);
    expect(await served(shared)).toBe('16');

    await goesForward(shared, epoch);
  });

  test('and another run has the lock since: this one does not resume traffic, which may be in a pause of the other’s', async ({
    shared,
  }) => {
    const { scene, target } = shared;
    const { epoch } = await scene.status();
    await using silence = await silenceAfter(COMMIT_POINT, target.address, 'pass');
    reach(scene, { ...target.address, port: silence.port });
    const other = await openSession(target.address);
    let taken: Promise<unknown> | undefined;
    let resumes = 0;
    const cutover = scene.run((migration) => migration.cutover(), {
      onEvent: ({ type }) => {
        // It waits until the runner's session is ended, as who takes over does.
        if (type === 'switchover-started')
          taken = other.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [
            `pgglide:${scene.settings.migration}`,
          ]);
      },
      traffic: (real) => ({
        ...bound(real),
        resume: (side, epoch) => {
          resumes += 1;
          return real.resume(side, epoch);
        },
      }),
    });
    await expect(cutover).rejects.toMatchObject({ code: 'another_runner', exitCode: 8 });
    await taken;
    expect(resumes).toBe(0);
    await other.end();

    await goesForward(shared, epoch);
  });
});

describe('the old side says nothing any more', () => {
  test.for([
    ['the barrier stands', 'IN EXCLUSIVE MODE', []],
    // Nobody but its own session may lift it: that is left to the proxy.
    ['the fence does, perhaps', "fence_state', '1'", ['Old side fenced']],
  ] as const)(
    'when %s: traffic goes on there, and the next command switches',
    async ([, text, leftToProxy], { shared }) => {
      const { scene, source } = shared;
      const { epoch } = await scene.status();
      await using silence = await silenceAfter(text, source.address, 'pass');
      const { settings } = scene;
      const cutover = { ...settings.cutover, pauseBudgetMs: 1_500 };
      scene.settings = { ...settings, cutover, source: { ...source.address, port: silence.port } };
      scene.events.length = 0;
      await expect(scene.cutover()).rejects.toMatchObject({ code: 'pause_budget_spent', exitCode: 6 });
      const reopening = notUndone(scene).filter((message) => /^(Old side fenced|Barrier)/.test(message));
      expect(reopening.map((message) => message.split(':')[0])).toEqual(leftToProxy);
      expect(await served(shared)).toBe('15');

      scene.settings = settings;
      await goesForward(shared, epoch);
    },
  );
});
