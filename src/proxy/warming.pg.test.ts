/** A connection to the new side has planned what its session will run before it runs there, and has run none of it. */

import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { startProxyBed } from '../../test/support/proxy-bed.ts';

/** What would be left behind, had anything been executed. */
const traces = (side: Database) =>
  side.rows(`SELECT (SELECT count(*) FROM notes) AS notes, (SELECT is_called FROM numbers) AS numbered,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database =
      (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND datname = current_database()) AS writers`);

test('statements are planned on the new side before the switch, and not executed', async ({
  source,
  target,
}) => {
  for (const side of [source, target]) {
    await side.exec(`CREATE TABLE notes (id int PRIMARY KEY, text text); CREATE SEQUENCE numbers;
      CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''numbers''); RETURN NEW; END';
      CREATE TRIGGER noted BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION noted()`);
  }
  const before = await traces(target);
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const put = { name: 'put', text: 'INSERT INTO notes VALUES ($1, $2)' };
  const find = { name: 'find', text: 'SELECT text FROM notes WHERE id = $1' };
  for (const id of [1, 2, 3]) {
    await client.query({ ...put, values: [id, 'x'] });
    await client.query({ ...find, values: [id] });
    await client.query(`INSERT INTO notes VALUES (${id + 100}, 'unnamed')`);
    await client.query('SELECT nextval($1)', ['numbers']);
    await client.query('SELECT pg_advisory_xact_lock($1)', [7]);
    await client.query({ name: 'go', text: 'BEGIN' });
    await client.query({ name: 'forever', text: 'SELECT id FROM notes FOR UPDATE' });
    await client.query('COMMIT');
  }
  const { failures } = await bed.traffic.prepare('target');
  expect(failures).toEqual([]);
  expect(await traces(target)).toEqual(before);
  await bed.switchSides();
  const { rows } = await client.query<{ name: string; plans: number }>(
    `SELECT name, (generic_plans + custom_plans)::int AS plans FROM pg_prepared_statements
     WHERE name IN ('put', 'find') ORDER BY name`,
  );
  // Five custom plans are made before the server settles on a generic one: here they are behind it.
  for (const { plans } of rows) expect(plans).toBeGreaterThan(5);
  expect(rows.map(({ name }) => name)).toEqual(['find', 'put']);
  await client.query({ ...put, values: [4, 'there'] });
  expect((await client.query({ ...find, values: [4] })).rows).toEqual([{ text: 'there' }]);
  await client.end();
});
