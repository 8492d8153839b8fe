import net, { type AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { subscriptionConninfo } from '../../config/conninfo.ts';
import { Connection } from '../connection.ts';
import { tryLink } from './link-trial.ts';

const left =
  'SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())';

test('a server that reaches the other is nothing to tell, both ways, and nothing is left', async ({
  source,
  target,
}) => {
  const [there, back] = [subscriptionConninfo(source.address), subscriptionConninfo(target.address)];
  expect(await tryLink(target.connection, { publisher: 'source', conninfo: there })).toEqual([]);
  expect(await tryLink(source.connection, { publisher: 'target', conninfo: back })).toEqual([]);
  expect([await target.rows(left), await source.rows(left)]).toEqual([[], []]);
});

test('an address where nobody listens, a password that is not taken and a host that says nothing are told, without the password', async ({
  source,
  target,
}) => {
  const tried = (change: Partial<typeof source.address>, timeoutMs?: number) => {
    const conninfo = subscriptionConninfo({ ...source.address, ...change });
    return tryLink(target.connection, {
      publisher: 'source',
      conninfo,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  };
  const blocker = { id: 'PGG193', severity: 'blocker' };
  expect(await tried({ port: 1 })).toMatchObject([
    {
      ...blocker,
      title: expect.stringMatching(/^the target's server cannot connect to the source: .*refused/),
    },
  ]);
  const wrong = await tried({ password: 'not the one' });
  expect(wrong).toMatchObject([
    { ...blocker, title: expect.stringContaining('password authentication failed') },
  ]);
  expect(JSON.stringify(wrong)).not.toContain('not the one');
  const silent = net.createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    expect(await tried({ port }, 200)).toMatchObject([
      { ...blocker, title: expect.stringContaining('no answer within 0.2 s') },
    ]);
  } finally {
    silent.close();
  }
  expect(await target.rows(left)).toEqual([]);
});

test('where our role may not make a subscription other rules tell it', async ({ source, target }) => {
  const role = `${target.name}_weak`;
  await target.exec(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
  await using weak = await Connection.open(
    { ...target.address, user: role, password: 'x' },
    { purpose: 'test' },
  );
  const conninfo = subscriptionConninfo({ ...source.address, port: 1 });
  expect(await tryLink(weak, { publisher: 'source', conninfo })).toEqual([]);
});
