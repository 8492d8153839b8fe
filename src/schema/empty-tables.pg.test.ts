import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { ident, trusted } from '../postgres/sql.ts';
import { emptyTables } from './empty-tables.ts';

test('a role that may not keep foreign keys from firing is told what to grant, and no row is gone', async ({
  source,
}) => {
  const role = `${source.name}_r`;
  await source.exec(`CREATE ROLE ${role}; GRANT ALL ON SCHEMA public TO ${role}; SET ROLE ${role};
    CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);
    INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1)`);
  await using session = await Connection.open(source.address, { purpose: 'test' });
  await session.script(trusted(`SET ROLE ${ident(role).text}`));
  const parent = { schema: 'public', name: 'parent', isPartitioned: false };
  await expect(emptyTables(session, [parent])).rejects.toMatchObject({
    code: 'copy_not_permitted',
    exitCode: 3,
    message: expect.stringContaining('public.parent'),
    hint: expect.stringContaining('GRANT SET ON PARAMETER session_replication_role'),
  });
  await session.script(trusted('RESET ROLE'));
  expect(await source.rows('SELECT * FROM child')).toHaveLength(1);
});
