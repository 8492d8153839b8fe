import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { startProxyBed } from '../../test/support/proxy-bed.ts';
import { ServerConnection } from './server-connection.ts';

test('whoever is attached to a connection that has ended is told so', async ({ source, target }) => {
  await using bed = await startProxyBed(source, target);
  const connection = await ServerConnection.open({
    side: 'source',
    address: source.address,
    parameters: new Map([
      ['user', bed.role],
      ['database', source.name],
    ]),
    credential: { password: bed.password },
    timeoutMs: 5_000,
  });
  const ended = connection.untilClosed();
  await source.exec(`SELECT pg_terminate_backend(${connection.pid})`);
  await ended;
  await new Promise<void>((resolve) => {
    connection.attach({ data: () => undefined, drain: () => undefined, closed: resolve });
  });
  expect(connection.isClosed).toBe(true);
});
