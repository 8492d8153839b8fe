import { execFile } from 'node:child_process';
import { appendFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { until } from '../base/async.ts';
import { type EmbeddedServer, startServer } from '../embedded/embedded-server.ts';
import { Connection } from './connection.ts';
import { slowestReplica } from './replica-lag.ts';
import { sql } from './sql.ts';

const run = promisify(execFile);
const SETTINGS = { fsync: 'off', shared_buffers: '32MB' };
const open = (server: EmbeddedServer) => Connection.open(server.address('postgres'), { purpose: 'test' });

/** A standby that replays what it receives two seconds later. */
async function standbyOf(primary: EmbeddedServer): Promise<EmbeddedServer> {
  const from = dirname(primary.dataDirectory);
  const to = `${from}-standby`;
  await primary.stop();
  // As cp -a: the server's account owns its files.
  await run('cp', ['-a', from, to]);
  await primary.start();
  const data = join(to, 'data');
  const conninfo = `host=127.0.0.1 port=${primary.port} user=${primary.user} password=${primary.password} application_name=standby1`;
  await writeFile(join(data, 'standby.signal'), '');
  await appendFile(
    join(data, 'postgresql.auto.conf'),
    `\nprimary_conninfo = '${conninfo}'\nrecovery_min_apply_delay = '2s'\nwal_receiver_status_interval = 1\n`,
  );
  return startServer({ majorVersion: 15, directory: to, settings: SETTINGS });
}

test('the standby that replays late is named with its lag', async () => {
  const primary = await startServer({ majorVersion: 15, settings: SETTINGS });
  let standby: EmbeddedServer | undefined;
  try {
    standby = await standbyOf(primary);
    await using control = await open(primary);
    const lag = await until(
      'the lag of the standby',
      async () => {
        await control.query(sql`SELECT pg_logical_emit_message(true, 'test', 'x')`);
        const found = await slowestReplica(control);
        return found !== undefined && found.lagMs > 500 ? found : undefined;
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    );
    expect(lag.name).toBe('standby1');
  } finally {
    await standby?.remove();
    await primary.remove();
  }
});
