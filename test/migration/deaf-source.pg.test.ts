/** The target's worker gets no answer from the source: nothing has failed, and nothing comes. */

import { expect } from 'vitest';
import { test } from '../support/fixture.ts';
import { withScene } from '../support/migration.ts';
import { silenceAfter } from '../support/silence.ts';

test('sync says that nobody fetches the changes, and what to look at', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
  await withScene({ source, target }, async (scene) => {
    // The worker's first words: check's own connection does not come that far.
    await using silence = await silenceAfter('IDENTIFY_SYSTEM', source.address, 'are silent too');
    const { settings } = scene;
    scene.settings = { ...settings, sourceForTarget: { ...source.address, port: silence.port } };
    const stop = new AbortController();
    const waits: string[] = [];
    const syncing = scene.run((migration) => migration.sync(), {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type !== 'step-waiting' || event.data.step !== 'catch-up') return;
        waits.push(event.data.waitingFor);
        stop.abort(new Error('seen'));
      },
    });
    await expect(syncing).rejects.toThrow('seen');
    expect(silence.hasBegun).toBe(true);
    expect(waits).toEqual([
      expect.stringMatching(
        /the target to fetch changes: its worker has no connection to the source.*server log/,
      ),
    ]);
    scene.settings = settings;
    await scene.abort();
  });
});
