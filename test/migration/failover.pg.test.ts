/** A server's name that leads to a standby, as it may during a failover. */

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts';
import { test } from '../support/fixture.ts';
import { withTable } from '../support/own-servers.ts';

/** Restarts the server in recovery, and as a primary once `during` is over. */
async function asStandby(server: EmbeddedServer, during: () => Promise<void>): Promise<void> {
  const signal = join(server.dataDirectory, 'standby.signal');
  await server.stop();
  await writeFile(signal, '');
  await server.start();
  await during();
  await server.stop();
  await rm(signal);
  await server.start();
}

test('a standby is told, no command changes anything there, and once it is a primary again the migration goes on', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    for (const [side, server] of [
      ['source', source],
      ['target', target],
    ] as const) {
      await asStandby(server, async () => {
        const problem = expect.stringMatching(`^the ${side} .* is a standby: it takes no writes$`);
        expect((await scene.status()).problems).toContainEqual(problem);
        const refusal = { code: 'server_is_standby', exitCode: 3, facts: { side } };
        for (const command of [scene.sync, scene.verify, scene.cutover, scene.abort])
          await expect(command()).rejects.toMatchObject(refusal);
        const dry = await scene.run((migration) => migration.cutover({ dryRun: true }));
        expect(dry.refusal).toMatchObject(refusal);
      });
    }
    await scene.sync();
    await scene.expectEqual();
    expect((await scene.status()).problems).toEqual([]);
    await scene.cutover();
  });
});
