/** Drivers and tools as people use them, across ten switches back and forth: no error, and every write exactly once. */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { type ProxyBed, startProxyBed } from '../../test/support/proxy-bed.ts';
import { until } from '../base/async.ts';

const SWITCHES = 10;
const run = promisify(execFile);

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Each switch waits until the workload has done something since the last one. */
async function switchTenTimes(bed: ProxyBed, done: () => number | Promise<number>): Promise<void> {
  for (let turn = 0; turn < SWITCHES; turn++) {
    const before = await done();
    await until('work between two switches', async () => ((await done()) > before ? true : undefined), {
      timeoutMs: 20_000,
    });
    await bed.switchSides();
  }
}

const TABLE = 'CREATE TABLE tally (id serial PRIMARY KEY, worker int NOT NULL, n int NOT NULL)';

/** Nothing is replicated here: what went to either side must add up. */
async function written(source: Database, target: Database): Promise<string[]> {
  const rows = await Promise.all(
    [source, target].map((side) => side.rows<{ k: string }>("SELECT worker || '/' || n AS k FROM tally")),
  );
  return rows.flat().map(({ k }) => k);
}

const environment = (bed: ProxyBed): NodeJS.ProcessEnv => ({
  ...process.env,
  PGHOST: '127.0.0.1',
  PGPORT: String(bed.proxy.port),
  PGUSER: bed.role,
  PGPASSWORD: bed.password,
  PGDATABASE: bed.database,
  PGSSLMODE: 'prefer',
});

test('node-postgres: transactions, named statements, pipelined pools', async ({ source, target }) => {
  for (const side of [source, target]) await side.exec(TABLE);
  await using bed = await startProxyBed(source, target);
  let stop = false;
  const acknowledged: string[] = [];
  const worker = async (id: number) => {
    const client = await bed.connect();
    for (let n = 0; !stop; n++) {
      if (n % 3 === 0) await client.query('INSERT INTO tally (worker, n) VALUES ($1, $2)', [id, n]);
      else if (n % 3 === 1) {
        await client.query({
          name: 'ins',
          text: 'INSERT INTO tally (worker, n) VALUES ($1, $2)',
          values: [id, n],
        });
      } else {
        await client.query('BEGIN');
        await client.query('SELECT count(*) FROM tally WHERE worker = $1', [id]);
        await client.query(`INSERT INTO tally (worker, n) VALUES (${id}, ${n})`);
        await client.query('COMMIT');
      }
      acknowledged.push(`${id}/${n}`);
    }
    await client.end();
  };
  const workers = Promise.all([1, 2, 3, 4].map(worker));
  await switchTenTimes(bed, () => acknowledged.length);
  stop = true;
  await workers;
  expect((await written(source, target)).sort()).toEqual(acknowledged.sort());
});

test('postgres.js: its own prepared statements and pipelining', async ({ source, target }) => {
  for (const side of [source, target]) await side.exec(TABLE);
  await using bed = await startProxyBed(source, target);
  const { host, port, user, password, database } = bed.config;
  const db = postgres({
    host: host as string,
    port: port as number,
    user: user as string,
    password: password as string,
    database: database as string,
    max: 4,
  });
  let stop = false;
  const acknowledged: string[] = [];
  const worker = async (id: number) => {
    for (let n = 0; !stop; n += 4) {
      // Several at once share a connection: postgres.js sends them without waiting for answers.
      await Promise.all(
        [0, 1, 2].map(async (more) => {
          await db`INSERT INTO tally (worker, n) VALUES (${id}, ${n + more})`;
          acknowledged.push(`${id}/${n + more}`);
        }),
      );
      await db.begin(async (tx) => {
        await tx`SELECT count(*) FROM tally`;
        await tx`INSERT INTO tally (worker, n) VALUES (${id}, ${n + 3})`;
      });
      acknowledged.push(`${id}/${n + 3}`);
    }
  };
  const workers = Promise.all([1, 2, 3, 4].map(worker));
  await switchTenTimes(bed, () => acknowledged.length);
  stop = true;
  await workers;
  await db.end();
  expect((await written(source, target)).sort()).toEqual(acknowledged.sort());
});

test.skipIf(!has('psql'))(
  'psql: a long script with transactions, \\copy and \\gset',
  async ({ source, target }) => {
    for (const side of [source, target]) await side.exec(TABLE);
    await using bed = await startProxyBed(source, target);
    const psql = spawn('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'], { env: environment(bed) });
    let output = '';
    let errors = '';
    let lines = 0;
    psql.stdout.on('data', (data: Buffer) => {
      output += String(data);
      lines += String(data).split('\n').length - 1;
    });
    psql.stderr.on('data', (data: Buffer) => {
      errors += String(data);
    });
    const ended = new Promise<number | null>((resolve) => psql.on('close', resolve));
    let stop = false;
    let n = 0;
    const feed = (async () => {
      while (!stop) {
        n += 1;
        const before = lines;
        psql.stdin.write(`BEGIN; INSERT INTO tally (worker, n) VALUES (1, ${n}); COMMIT;
\\copy (SELECT 1) TO '/dev/null'
\\copy tally (worker, n) FROM pstdin WITH (FORMAT csv)
2,${n}
\\.
SELECT ${n} AS a \\gset
\\echo :a
`);
        await until('an answer', async () => (lines > before ? true : undefined), {
          timeoutMs: 20_000,
          intervalMs: 1,
        });
      }
      psql.stdin.end('\\q\n');
    })();
    await switchTenTimes(bed, () => lines);
    stop = true;
    await feed;
    expect(await ended).toBe(0);
    expect(errors).toBe('');
    expect(output.trim().split('\n').map(Number)).toEqual(Array.from({ length: n }, (_, index) => index + 1));
    expect((await written(source, target)).length).toBe(2 * n);
  },
);

test.skipIf(!has('pgbench')).for(['simple', 'extended', 'prepared'])(
  'pgbench -M %s',
  async (mode, { source, target }) => {
    await using bed = await startProxyBed(source, target);
    const admin = (side: Database): NodeJS.ProcessEnv => ({
      ...process.env,
      PGHOST: side.address.host,
      PGPORT: String(side.address.port),
      PGUSER: side.address.user,
      PGPASSWORD: side.address.password ?? '',
      PGDATABASE: side.address.database,
    });
    for (const side of [source, target]) await run('pgbench', ['-i', '-q', '-s', '1'], { env: admin(side) });
    const bench = run('pgbench', ['-n', '-M', mode, '-c', '4', '-R', '200', '-T', '6', '--max-tries=1'], {
      env: environment(bed),
    });
    const total = async () => {
      const counts = await Promise.all(
        [source, target].map((side) => side.rows<{ n: number }>('SELECT count(*) AS n FROM pgbench_history')),
      );
      return counts.reduce((sum, [row]) => sum + (row?.n ?? 0), 0);
    };
    await switchTenTimes(bed, total);
    const { stdout } = await bench;
    expect(stdout).toMatch(/number of failed transactions: 0 /);
    expect(await total()).toBe(Number(/actually processed: (\d+)/.exec(stdout)?.[1]));
  },
);
