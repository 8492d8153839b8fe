import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { trusted } from '../postgres/sql.ts';
import { readTableCatalog } from './compared-table.ts';

test('a key without overlaps (18) is none to find a row by: other rows overlap its period', async ({
  ownServers,
}) => {
  const [server] = await ownServers([18]);
  if (server === undefined) throw new Error('no server');
  await using session = await Connection.open(server.address('postgres'), { purpose: 'test' });
  await session.script(trusted('CREATE EXTENSION btree_gist SCHEMA public'));
  await session.script(
    trusted(`SET search_path = public;
      CREATE TABLE rent (flat int, during daterange, PRIMARY KEY (flat, during WITHOUT OVERLAPS));
      CREATE TABLE flat (id int PRIMARY KEY)`),
  );
  const tables = ['rent', 'flat'].map((name) => ({ schema: 'public', name }));
  const { keys } = await readTableCatalog(session, tables);
  expect(keys.map(({ table, name }) => [table, name])).toEqual([[1, 'id']]);
});
