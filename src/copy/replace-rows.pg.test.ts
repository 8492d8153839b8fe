import { describe, expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { until } from '../base/async.ts';
import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { asideTables } from '../schema/aside-tables.ts';
import { replaceRows } from './replace-rows.ts';

const TABLES = 'CREATE UNLOGGED TABLE a (id int PRIMARY KEY); CREATE UNLOGGED TABLE b (id int)';

async function replace(source: Database, target: Database, signal = new AbortController().signal) {
  const options = { scope: {}, unloggedTables: 'carry' } as const;
  const { wanted } = await asideTables(source.connection, target.connection, options);
  return replaceRows({
    servers: { source: source.address, target: target.address },
    from: 'source',
    to: 'target',
    tables: wanted,
    rateLimitBytesPerSecond: undefined,
    signal,
  });
}

const waitingSessions = (target: Database) =>
  target.rows(`SELECT FROM pg_stat_activity WHERE datname = current_database()
    AND wait_event_type = 'Lock' AND application_name = 'pgglide: copy'`);

describe('rows are replaced', () => {
  test('behind a reader of the other side, in short attempts, and all at once for other readers', async ({
    source,
    target,
  }) => {
    for (const side of [source, target]) await side.exec(TABLES);
    await source.exec('INSERT INTO a SELECT generate_series(1, 1000); INSERT INTO b VALUES (1)');
    await target.exec('INSERT INTO a VALUES (-1)');
    await using reader = await Connection.open(target.address, { purpose: 'reader' });
    await reader.script(sql`BEGIN; SELECT FROM public.a`);
    const replacing = replace(source, target);
    await until('our waiting', async () => (await waitingSessions(target))[0], { timeoutMs: 30_000 });
    expect(await reader.query(sql`SELECT id FROM public.a`)).toEqual([{ id: -1 }]);
    await reader.script(sql`COMMIT`);
    expect(await replacing).toBe(1001);
    expect(await target.rows('SELECT count(*) AS n, min(id) FROM a')).toEqual([{ n: 1000, min: 1 }]);
  });

  test('not when it is called off: the old rows stay, and no session of ours', async ({ source, target }) => {
    for (const side of [source, target]) await side.exec(TABLES);
    await target.exec('INSERT INTO a VALUES (-1)');
    await using reader = await Connection.open(target.address, { purpose: 'reader' });
    await reader.script(sql`BEGIN; SELECT FROM public.a`);
    const stop = new AbortController();
    const replacing = replace(source, target, stop.signal);
    replacing.catch(() => undefined);
    await until('our waiting', async () => (await waitingSessions(target))[0], { timeoutMs: 30_000 });
    stop.abort(new Error('called off'));
    await expect(replacing).rejects.toThrow('called off');
    expect(await target.rows('SELECT id FROM a')).toEqual([{ id: -1 }]);
  });

  test('by a role that may not silence triggers: only where there are none', async ({ source, target }) => {
    const role = `${target.name}_owner`;
    for (const side of [source, target]) await side.exec(TABLES);
    await source.exec('INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)');
    await target.exec(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA public TO ${role};
      ALTER TABLE a OWNER TO ${role}; ALTER TABLE b OWNER TO ${role}`);
    const limited = { ...target, address: { ...target.address, user: role, password: 'secret' } };
    const asRole = { ...limited, name: target.name, connection: target.connection } as Database;
    expect(await replace(source, asRole)).toBe(2);
    await target.exec(`CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER loud BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION loud()`);
    await expect(replace(source, asRole)).rejects.toMatchObject({
      code: 'rows_not_copied',
      message: expect.stringContaining('public.b'),
      hint: expect.stringContaining('copy.unloggedTables'),
    });
    await target.exec(
      `ALTER TABLE a OWNER TO CURRENT_USER; ALTER TABLE b OWNER TO CURRENT_USER; DROP TRIGGER loud ON b`,
    );
    await expect(replace(source, asRole)).rejects.toMatchObject({ code: 'rows_not_copied', exitCode: 3 });
  });
});
