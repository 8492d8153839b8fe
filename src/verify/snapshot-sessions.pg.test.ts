import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { sql } from '../postgres/sql.ts';
import { SnapshotSessions } from './snapshot-sessions.ts';

test('all sessions see one instant, again and again', async ({ source }) => {
  await source.exec('CREATE TABLE t (n int); INSERT INTO t VALUES (1)');
  await using sessions = await SnapshotSessions.open(source.address, 3);
  const seen = () =>
    Promise.all(
      [0, 1, 2].map((index) =>
        sessions.look(index, (session) =>
          session.one<{ rows: number }>(sql`SELECT count(*) AS rows FROM public.t`),
        ),
      ),
    );
  await sessions.pin();
  await source.exec('INSERT INTO t VALUES (2)');
  expect(await seen()).toEqual([{ rows: 1 }, { rows: 1 }, { rows: 1 }]);
  await sessions.unpin();
  await sessions.pin();
  expect(await seen()).toEqual([{ rows: 2 }, { rows: 2 }, { rows: 2 }]);
});

test('no table stays locked after a look: a DDL statement of the application does not wait for us', async ({
  source,
}) => {
  await source.exec('CREATE TABLE t (n int)');
  await using sessions = await SnapshotSessions.open(source.address, 1);
  await sessions.pin();
  await sessions.look(0, (session) => session.query(sql`SELECT FROM public.t`));
  await source.exec(`SET lock_timeout = '5s'; ALTER TABLE t ADD COLUMN m int; DROP TABLE t`);
  expect(await sessions.look(0, (session) => session.query(sql`SELECT 1 AS one`))).toEqual([{ one: 1 }]);
});
