import { expect } from 'vitest';
import { copyBed } from '../../test/support/copy-bed.ts';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { until } from '../base/async.ts';
import { collectGarbage } from '../base/garbage.ts';
import { PgglideError } from '../domain/errors.ts';
import type { CopyProgress } from '../domain/event.ts';
import { SIDES } from '../domain/names.ts';
import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';

/** Sessions of a running copy on this database. */
async function copySessions(database: Database): Promise<number[]> {
  const rows = await database.connection.query<{ pid: number }>(sql`
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgglide: copy%'`);
  return rows.map(({ pid }) => pid);
}

const failureOf = async (work: Promise<unknown>): Promise<PgglideError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof PgglideError)) throw new Error(`Expected a PgglideError, got ${error}`);
  return error;
};

/** Lets some reads (of up to 64 kB) pass, then holds the copy in the middle of its data until free() is called. */
function holdAfter(reads: number) {
  let isFree = false;
  let seen = 0;
  return {
    pausedBy: () => {
      seen++;
      return isFree || seen <= reads ? undefined : 'test';
    },
    isHeld: () => seen > reads,
    free: () => {
      isFree = true;
    },
  };
}

const held = (hold: { isHeld(): boolean }) =>
  until('the copy to be under way', async () => (hold.isHeld() ? true : undefined), { timeoutMs: 20_000 });

const bigTable = 'CREATE TABLE big (id int, filler text)';
const fillBig = `INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 20000) i`;

test('every row arrives, is counted, recorded and reported', async ({ source, target }) => {
  const tables = 'CREATE TABLE a (n int, t text); CREATE TABLE b (n int[]); CREATE TABLE empty (n int)';
  await source.exec(`${tables}; INSERT INTO a SELECT i, i::text FROM generate_series(1, 10000) i;
    INSERT INTO b VALUES (ARRAY[1,2]), (NULL)`);
  await target.exec(tables);
  await using bed = await copyBed(source, target);
  const copied: string[] = [];
  let last: CopyProgress | undefined;
  const result = await bed.run({
    onTableCopied: (table) => copied.push(table.name),
    onProgress: (progress) => {
      last = progress;
    },
  });
  expect(result.rows).toBe(10_002);
  expect(bed.recorded.sort()).toEqual(bed.parts.map((part) => part.id).sort());
  expect(copied.sort()).toEqual(['a', 'b', 'empty']);
  expect(last).toMatchObject({ rows: 10_002, tablesDone: 3, tables: 3, running: [] });
  expect(last?.bytes).toBe(last?.totalBytes);
  expect(await target.rows('SELECT count(*) AS n, sum(n) AS sum FROM a')).toEqual([
    { n: 10_000, sum: 50_005_000 },
  ]);
  expect(await target.rows('SELECT n FROM b ORDER BY n')).toEqual([{ n: [1, 2] }, { n: null }]);
});

test('ranges of a table show one instant, whatever is written meanwhile', async ({ source, target }) => {
  await source.exec(`${bigTable}; ${fillBig}; DELETE FROM big WHERE id % 7 = 0`);
  await target.exec(bigTable);
  await using bed = await copyBed(source, target, { splitBytes: 2_000_000 });
  expect(bed.parts.length).toBeGreaterThan(5);
  const before = await source.rows(
    'SELECT count(*) AS n, sum(id) AS sum, md5(string_agg(filler, $$$$ ORDER BY id)) FROM big',
  );
  const hold = holdAfter(60);
  const running = bed.run(hold);
  await held(hold);
  await source.exec(`INSERT INTO big SELECT i, 'new' FROM generate_series(20001, 30000) i;
    UPDATE big SET filler = 'changed' WHERE id % 3 = 0; DELETE FROM big WHERE id % 5 = 0`);
  hold.free();
  await running;
  expect(
    await target.rows(
      'SELECT count(*) AS n, sum(id) AS sum, md5(string_agg(filler, $$$$ ORDER BY id)) FROM big',
    ),
  ).toEqual(before);
});

test('a table that is rewritten between its ranges is noticed, and the rewrite is not kept waiting', async ({
  source,
  target,
}) => {
  await source.exec(`${bigTable}; ${fillBig}`);
  await target.exec(bigTable);
  await using bed = await copyBed(source, target, { splitBytes: 2_000_000 });
  const hold = holdAfter(60);
  const running = bed.run(hold);
  running.catch(() => undefined);
  await held(hold);
  const rewrite = source.exec('VACUUM FULL big');
  await until(
    'VACUUM FULL to wait for the running ranges',
    async () => {
      const waiting = await source.connection.query(sql`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND query = 'VACUUM FULL big' AND wait_event_type = 'Lock'`);
      return waiting.length > 0 ? true : undefined;
    },
    { timeoutMs: 20_000 },
  );
  hold.free();
  expect((await failureOf(running)).code).toBe('table_rewritten');
  await rewrite;
});

/** Every row that a migration would lose in silence: the older snapshot shows none of a file that ALTER TABLE wrote later. */
for (const [what, splitBytes] of [
  ['whole', 1e12],
  ['in ranges', 2_000_000],
] as const) {
  test(`a table that ALTER TABLE rewrites before it is copied ${what} is noticed`, async ({
    source,
    target,
  }) => {
    await source.exec(`${bigTable}; ${fillBig}`);
    await target.exec(bigTable);
    await using bed = await copyBed(source, target, { splitBytes });
    await source.exec('ALTER TABLE big ALTER id TYPE bigint');
    const { code, facts } = await failureOf(bed.run());
    expect({ code, facts }).toMatchObject({ code: 'table_rewritten', facts: { table: 'public.big' } });
    expect(await target.rows('SELECT FROM big')).toEqual([]);
  });
}

test('so is a leaf of a partition tree', async ({ source, target }) => {
  const tree = `CREATE TABLE tree (id int, n int) PARTITION BY RANGE (id);
    CREATE TABLE leaf_1 PARTITION OF tree FOR VALUES FROM (0) TO (10);
    CREATE TABLE leaf_2 PARTITION OF tree FOR VALUES FROM (10) TO (20)`;
  await source.exec(`${tree}; INSERT INTO tree VALUES (11, 1)`);
  await target.exec(tree);
  await using bed = await copyBed(source, target);
  await source.exec('ALTER TABLE tree ALTER n TYPE bigint');
  const { code, facts } = await failureOf(bed.run());
  expect({ code, facts }).toMatchObject({ code: 'table_rewritten', facts: { heap: 'public.leaf_2' } });
});

/** As pg_repack does it: rows that were there before the snapshot are of later transactions in the new file. */
const exchange = `SET allow_system_table_mods = on;
  UPDATE pg_extension SET extname = 'pg_repack' WHERE extname = 'plpgsql';
  UPDATE pg_class c SET relfilenode = o.relfilenode FROM pg_class o
  WHERE (c.relname, o.relname) IN (('t', 'shadow'), ('shadow', 't')) AND c.relkind = 'r' AND o.relkind = 'r';
  RESET allow_system_table_mods`;
for (const [what, before, after] of [
  ['shows old versions', 'INSERT INTO shadow VALUES (1, 1)', 'UPDATE shadow SET n = 2'],
  ['shows no row', '', 'INSERT INTO shadow VALUES (1, 2)'],
] as const) {
  test(`a whole table that pg_repack exchanged, of which the snapshot ${what}, is noticed`, async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE t (id int, n int); CREATE TABLE shadow (LIKE t);
      INSERT INTO t VALUES (1, 2); ${before}`);
    await target.exec('CREATE TABLE t (id int, n int); CREATE TABLE shadow (LIKE t)');
    await using bed = await copyBed(source, target);
    await source.exec(`${after}; ${exchange}`);
    expect(await source.rows('SELECT n FROM t')).toEqual([{ n: 2 }]);
    const ended = await bed.run().then(
      () => target.rows('SELECT n FROM t'),
      ({ code }: PgglideError) => code,
    );
    expect(ended).toBe('table_rewritten');
  });
}

test('a whole table may be vacuumed in full, and one that was emptied is copied empty: the link carries its TRUNCATE', async ({
  source,
  target,
}) => {
  const tables = `${bigTable}; CREATE TABLE staging (id int)`;
  await source.exec(`${tables}; ${fillBig}; INSERT INTO staging SELECT generate_series(1, 1000)`);
  await target.exec(tables);
  await using bed = await copyBed(source, target);
  await source.exec('TRUNCATE staging; INSERT INTO staging SELECT generate_series(1, 2000)');
  await source.connection.script(sql`VACUUM FULL public.big`);
  expect((await bed.run()).rows).toBe(20_000);
  expect(bed.recorded).toHaveLength(2);
});

test('a whole table is stored frozen, so that nothing needs to read it for that again', async ({
  source,
  target,
}) => {
  await source.exec(`${bigTable}; ${fillBig}`);
  await target.exec(`${bigTable}; CREATE EXTENSION pg_visibility`);
  await using bed = await copyBed(source, target);
  await bed.run();
  const [map] = await target.rows<{ frozen: number }>(
    `SELECT all_frozen AS frozen FROM pg_visibility_map_summary('big')`,
  );
  const [size] = await target.rows<{ blocks: number }>(`SELECT pg_relation_size('big') / 8192 AS blocks`);
  // The server extends a file by several blocks at once: the last few are empty.
  expect(map?.frozen).toBeGreaterThan(0.98 * (size?.blocks ?? 0));
});

test('a large table that another one refers to already, as one that was made by hand, is copied all the same', async ({
  source,
  target,
}) => {
  const tables =
    'CREATE TABLE parent (id int PRIMARY KEY, filler text); CREATE TABLE child (parent int REFERENCES parent)';
  await source.exec(`${tables}; INSERT INTO parent SELECT i, repeat('x', 900) FROM generate_series(1, 2000) i;
    INSERT INTO child VALUES (1)`);
  await target.exec(tables);
  await using bed = await copyBed(source, target);
  expect((await bed.run()).rows).toBe(2001);
});

for (const side of SIDES) {
  test(`the ${side}'s sessions are killed: a clear error, and only whole parts are there`, async ({
    source,
    target,
  }) => {
    await source.exec(`${bigTable}; ${fillBig}`);
    await target.exec(`${bigTable}; CREATE TABLE done (id text)`);
    await using bed = await copyBed(source, target, { splitBytes: 2_000_000 });
    const hold = holdAfter(90);
    const running = bed.run({
      ...hold,
      recordParts: async (session, parts) => {
        for (const { part, rows } of parts)
          await session.query(sql`INSERT INTO public.done VALUES (${part.id}), (${`rows ${rows}`})`);
      },
    });
    running.catch(() => undefined);
    await held(hold);
    const database = side === 'source' ? source : target;
    for (const pid of await copySessions(database))
      await database.rows(`SELECT pg_terminate_backend(${pid})`);
    hold.free();
    const error = await failureOf(running);
    expect(error.code).toMatch(new RegExp(`^(${side}|server)_lost$`));
    expect(error.exitCode).toBe(4);
    expect(error.hint).toContain('run the same command again');
    expect(await copySessions(source)).toEqual([]);
    expect(await copySessions(target)).toEqual([]);
    const done = await target.rows<{ id: string }>('SELECT id FROM done');
    const rows = done.filter(({ id }) => id.startsWith('rows ')).map(({ id }) => Number(id.slice(5)));
    expect(await target.rows('SELECT count(*) AS n FROM big')).toEqual([
      { n: rows.reduce((a, b) => a + b, 0) },
    ]);
    expect(rows.length).toBeLessThan(bed.parts.length);
  });
}

test('an abort ends the sessions of both sides, also those that wait for a lock', async ({
  source,
  target,
}) => {
  await source.exec(`${bigTable}; ${fillBig}; CREATE TABLE locked (n int)`);
  await target.exec(`${bigTable}; CREATE TABLE locked (n int)`);
  await target.exec('BEGIN; LOCK TABLE locked');
  await using bed = await copyBed(source, target);
  const abort = new AbortController();
  const running = bed.run({ signal: abort.signal });
  running.catch(() => undefined);
  await until(
    'a session to wait for the lock',
    async () => {
      const waiting = await target.connection.query(sql`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'pgglide: copy' AND wait_event_type = 'Lock'`);
      return waiting.length > 0 ? true : undefined;
    },
    { timeoutMs: 20_000 },
  );
  abort.abort(new Error('stop'));
  await expect(running).rejects.toThrow('stop');
  expect(await copySessions(source)).toEqual([]);
  expect(await copySessions(target)).toEqual([]);
  await target.exec('ROLLBACK');
});

test('an abort before the start opens nothing', async ({ source, target }) => {
  await using bed = await copyBed(source, target);
  await expect(bed.run({ signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
  expect(await copySessions(target)).toEqual([]);
});

test('what recordParts writes stands or falls with the rows', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (n int); INSERT INTO t VALUES (1)');
  await target.exec('CREATE TABLE t (n int)');
  await using bed = await copyBed(source, target);
  const running = bed.run({
    recordParts: async () => {
      throw new Error('the record is refused');
    },
  });
  await expect(running).rejects.toThrow('the record is refused');
  expect(await target.rows('SELECT * FROM t')).toEqual([]);
});

test('a row that the target refuses is told with table, column and the server’s words', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE t (n int); INSERT INTO t VALUES (1), (-5)');
  await target.exec('CREATE TABLE t (n int CHECK (n > 0))');
  await using bed = await copyBed(source, target);
  const error = await failureOf(bed.run());
  expect(error).toMatchObject({
    code: 'copy_failed',
    facts: { side: 'target', table: 'public.t', sqlState: '23514' },
  });
  expect(error.message).toContain('violates check constraint');
  expect(await target.rows('SELECT * FROM t')).toEqual([]);
});

test('a row that a trigger of the target swallows is noticed', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)');
  await target.exec(`CREATE TABLE t (n int);
    CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER swallow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION swallow();
    ALTER TABLE t ENABLE ALWAYS TRIGGER swallow`);
  await using bed = await copyBed(source, target);
  expect((await failureOf(bed.run())).message).toContain('2 rows were sent, 0 were stored');
});

test('ordinary triggers of the target do not fire, foreign keys are not checked', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE t (n int); INSERT INTO t VALUES (1)');
  await target.exec(`CREATE TABLE parent (n int PRIMARY KEY); CREATE TABLE t (n int REFERENCES parent);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;
    CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()`);
  await using bed = await copyBed(source, target);
  await bed.run();
  expect(await target.rows('SELECT n FROM t')).toEqual([{ n: 1 }]);
});

test('case 1: row-level security that would hide rows is refused, never a partial copy', async ({
  source,
  target,
}) => {
  const role = `${source.name}_role`;
  await source.exec(`CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 10);
    ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR SELECT USING (id <= 3);
    CREATE ROLE ${role} LOGIN PASSWORD 'secret'; GRANT SELECT ON t TO ${role}`);
  await target.exec('CREATE TABLE t (id int)');
  await using bed = await copyBed(source, target);
  const error = await failureOf(bed.run({ source: { ...source.address, user: role, password: 'secret' } }));
  expect(error).toMatchObject({ code: 'copy_not_permitted', exitCode: 3 });
  expect(error.hint).toContain('BYPASSRLS');
  expect(await target.rows('SELECT * FROM t')).toEqual([]);
  await bed.run();
  expect(await target.rows('SELECT count(*) AS n FROM t')).toEqual([{ n: 10 }]);
});

test('a snapshot that is gone is told as such', async ({ source, target }) => {
  const table = 'CREATE TABLE t (n int)';
  await Promise.all([source.exec(table), target.exec(table)]);
  await using bed = await copyBed(source, target);
  expect((await failureOf(bed.run({ snapshot: '00000003-0000001B-1' }))).code).toBe('snapshot_gone');
});

test('a role without superuser’s rights on the target copies too', async ({ source, target }) => {
  const role = `${target.name}_role`;
  await source.exec('CREATE TABLE t (n int); INSERT INTO t VALUES (1)');
  await target.exec(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'; CREATE TABLE t (n int);
    ALTER TABLE t OWNER TO ${role}`);
  await using bed = await copyBed(source, target);
  await bed.run({ target: { ...target.address, user: role, password: 'secret' } });
  expect(await target.rows('SELECT n FROM t')).toEqual([{ n: 1 }]);
});

test('a role’s own time-outs and settings do not disturb the copy', async ({ source, target }) => {
  const role = `${source.name}_role`;
  const settings = [
    'statement_timeout = 10',
    'idle_in_transaction_session_timeout = 10',
    `"DateStyle" = 'German'`,
  ];
  await source.exec(`${bigTable}; ${fillBig}; CREATE TABLE d (d timestamptz, t regclass); INSERT INTO d VALUES ('2024-02-03 04:05:06+07', 'd');
    CREATE ROLE ${role} LOGIN PASSWORD 'secret' SUPERUSER;
    ${settings.map((setting) => `ALTER ROLE ${role} SET ${setting}`).join('; ')}`);
  await target.exec(`${bigTable}; CREATE TABLE d (d timestamptz, t regclass)`);
  await using bed = await copyBed(source, target);
  await bed.run({ source: { ...source.address, user: role, password: 'secret' } });
  expect(await target.rows(`SELECT d = '2024-02-03 04:05:06+07' AS same, t::text FROM d`)).toEqual([
    { same: true, t: 'd' },
  ]);
});

test('the number of jobs can be raised and lowered while it runs', async ({ source, target }) => {
  await source.exec(`${bigTable}; ${fillBig}`);
  await target.exec(bigTable);
  await using bed = await copyBed(source, target, { splitBytes: 500_000 });
  let jobs = 1;
  const hold = holdAfter(20);
  const running = bed.run({ ...hold, jobs: () => jobs });
  await held(hold);
  const workers = (count: number) =>
    until(
      `${count} workers`,
      async () =>
        (
          await target.rows(
            `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pgglide: copy'`,
          )
        ).length === count
          ? true
          : undefined,
      { timeoutMs: 20_000 },
    );
  await workers(1);
  jobs = 3;
  await workers(3);
  jobs = Number.NaN;
  hold.free();
  expect((await running).rows).toBe(20_000);
});

test('memory stays small while rows of many megabytes pass', async ({ source, target }) => {
  const create = 'CREATE TABLE wide (id int, body bytea)';
  const storage = 'ALTER TABLE wide ALTER body SET STORAGE EXTERNAL';
  await source.exec(
    `${create}; ${storage}; INSERT INTO wide SELECT i, decode(repeat('ab', 40 * 1024 * 1024), 'hex') FROM generate_series(1, 5) i`,
  );
  await target.exec(`${create}; ${storage}`);
  await using bed = await copyBed(source, target);
  let peakBytes = 0;
  const watch = setInterval(() => {
    const { heapUsed, external } = process.memoryUsage();
    peakBytes = Math.max(peakBytes, heapUsed + external);
  }, 5);
  // What earlier files left must not count as there before.
  collectGarbage();
  const before = process.memoryUsage();
  const { bytes } = await bed.run();
  clearInterval(watch);
  expect(bytes).toBeGreaterThan(200 * 1024 * 1024);
  expect(peakBytes - before.heapUsed - before.external).toBeLessThan(100 * 1024 * 1024);
  expect(await target.rows('SELECT sum(octet_length(body)) AS n FROM wide')).toEqual([
    { n: 5 * 40 * 1024 * 1024 },
  ]);
});

test('hundreds of small tables take a handful of transactions', async ({ source, target }) => {
  const ddl = Array.from({ length: 300 }, (_, n) => `CREATE TABLE t${n} (n int)`).join(';');
  await source.exec(
    `${ddl}; ${Array.from({ length: 300 }, (_, n) => `INSERT INTO t${n} VALUES (${n})`).join(';')}`,
  );
  await target.exec(ddl);
  await using bed = await copyBed(source, target);
  let transactions = 0;
  const { rows } = await bed.run({
    recordParts: async () => {
      transactions++;
    },
  });
  expect(rows).toBe(300);
  expect(transactions).toBeLessThan(20);
  expect(await target.rows('SELECT n FROM t299')).toEqual([{ n: 299 }]);
});

test('a target that is out of sessions is told, and nothing is left', async ({ source, target }) => {
  const role = `${target.name}_role`;
  await source.exec('CREATE TABLE t (n int)');
  await target.exec(`CREATE TABLE t (n int); CREATE ROLE ${role} LOGIN PASSWORD 'secret' CONNECTION LIMIT 1`);
  await using bed = await copyBed(source, target);
  const address = { ...target.address, user: role, password: 'secret' };
  await using _only = await Connection.open(address, { purpose: 'test' });
  expect((await failureOf(bed.run({ target: address }))).exitCode).toBe(4);
  expect(await copySessions(source)).toEqual([]);
});
