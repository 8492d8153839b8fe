/** A proxy that was started with another configuration: a switch would move its clients to a server that is not the target. */

import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { MigrationStatus } from '../../src/observers/status.ts';
import type { Ended } from '../e2e/tool.ts';
import { Bed } from './bed.ts';
import { serverPair } from './server-pair.ts';

const servers = serverPair();

const createBed = (): Promise<Bed> =>
  Bed.create({
    ...servers,
    schema: 'CREATE TABLE public.item (id int PRIMARY KEY); INSERT INTO public.item VALUES (1)',
  });

/** While a proxy of these flags runs where the configuration looks for one. */
async function withProxy<T>(bed: Bed, flags: readonly string[], work: () => Promise<T>): Promise<T> {
  const control = `unix:${join(bed.folder, 'nobody.sock')}`;
  const stateFile = `proxy.stateFile=${join(bed.folder, flags.length === 0 ? 'right' : 'wrong')}`;
  const own = ['--listen', '127.0.0.1:0', '--control', control, '--set', stateFile];
  const proxy = bed.start(['proxy', ...own, ...flags]);
  try {
    await proxy.says('listening on');
    return await work();
  } finally {
    await proxy.kill('SIGTERM');
  }
}

const switchAnyway = (bed: Bed): Promise<Ended> => bed.pgglide(['cutover', '--unverified']);

// Several workers answer as one proxy does.
test('of another target, or of another migration, is not used', async () => {
  await using bed = await createBed();
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  const { user, host, port } = servers.source;
  // There is no such database on it, as after an abort.
  const target = `postgresql://${user}@${host}:${port}/${bed.database.target}`;

  await withProxy(bed, ['--workers', '2', '--target', target, '--assume', 'source'], async () => {
    const { exitCode, stderr } = await switchAnyway(bed);
    expect(exitCode, stderr).toBe(20);
    expect(stderr).toContain('error proxy_elsewhere: The proxy at unix:');
    expect(stderr).toContain(
      `has ${host}:${port} as its target, which is another server than this migration’s`,
    );
    const status = JSON.parse((await bed.pgglide(['status', '-o', 'json'])).stdout) as MigrationStatus;
    expect(status).toMatchObject({ phase: 'following', activeSide: 'source' });
    expect(status.problems.join()).toContain('another server');
  });

  await withProxy(bed, ['--migration', 'other', '--assume', 'source'], async () => {
    const { exitCode, stderr } = await switchAnyway(bed);
    expect(exitCode, stderr).toBe(20);
    expect(stderr).toMatch(/error proxy_elsewhere: .* serves migration "other", not "cli"/);
  });

  await withProxy(bed, [], async () => {
    const { exitCode, stderr } = await switchAnyway(bed);
    expect(exitCode, stderr).toBe(0);
    expect((await bed.pgglide(['complete', '--yes', '--drop-fence'])).exitCode).toBe(0);
  });
});
