import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { openSession } from '../../test/support/migration.ts';
import { withDeadline } from '../base/async.ts';
import { endBackend } from './activity.ts';

test('whoever has the process id of a lost session by now is neither ended nor waited for', async ({
  source,
}) => {
  const client = await openSession(source.address);
  const { processID } = client as unknown as { processID: number };
  await withDeadline('the end of nothing', 5_000, endBackend(source.connection, processID));
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
});
