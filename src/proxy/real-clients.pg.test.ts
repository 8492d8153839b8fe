/** Drivers and tools as people use them, across ten switches back and forth: no error, and every write exactly once. */

import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { startProxyBed } from '../../test/support/proxy-bed.ts';
import {
  canRun,
  clientFile,
  environment,
  hasProgram,
  SWITCHES,
  startClient,
  startTallyBed,
  switchTenTimes,
  switchUnder,
  written,
} from '../../test/support/real-client.ts';
import { until } from '../base/async.ts';

const run = promisify(execFile);

test('node-postgres: transactions, named statements, pipelined pools', async ({ source, target }) => {
  await using bed = await startTallyBed(source, target);
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
  await using bed = await startTallyBed(source, target);
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

test.skipIf(!hasProgram('psql'))(
  'psql: a long script with transactions, \\copy and \\gset',
  async ({ source, target }) => {
    await using bed = await startTallyBed(source, target);
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

test.skipIf(!hasProgram('pgbench')).for(['simple', 'extended', 'prepared'])(
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
    let hasSwitched = false;
    // pgbench cannot be told to end: one run after the other, until all switches are made.
    const bench = async (): Promise<number> => {
      let processed = 0;
      do {
        const args = ['-n', '-M', mode, '-c', '4', '-R', '200', '-T', '6', '--max-tries=1'];
        const { stdout } = await run('pgbench', args, { env: environment(bed) });
        expect(stdout).toMatch(/number of failed transactions: 0 /);
        processed += Number(/actually processed: (\d+)/.exec(stdout)?.[1]);
      } while (!hasSwitched);
      return processed;
    };
    const benched = bench();
    const total = async () => {
      const counts = await Promise.all(
        [source, target].map((side) => side.rows<{ n: number }>('SELECT count(*) AS n FROM pgbench_history')),
      );
      return counts.reduce((sum, [row]) => sum + (row?.n ?? 0), 0);
    };
    await switchTenTimes(bed, total).finally(() => {
      hasSwitched = true;
    });
    const processed = await benched;
    expect(await total()).toBe(processed);
  },
);

const JDBC = '/usr/share/java/postgresql.jar';

test.skipIf(!existsSync(JDBC) || !hasProgram('java') || !hasProgram('javac'))('JDBC', ({ source, target }) =>
  switchUnder({ source, target }, async (bed) => {
    await run('javac', ['-d', bed.folder, clientFile('Client.java')]);
    return startClient('java', ['-cp', `${bed.folder}:${JDBC}`, 'Client'], environment(bed));
  }),
);

/** Debian's own Python, where its packages install. */
const PYTHON = '/usr/bin/python3';

/** The program that runs each, and how it tells that it has the library. What they do, they say themselves. */
const CLIENTS: readonly (readonly [string, string, readonly string[]])[] = [
  ['psycopg2_client.py', PYTHON, ['-c', 'import psycopg2']],
  ['psycopg3_client.py', PYTHON, ['-c', 'import psycopg']],
  ['asyncpg_client.py', PYTHON, ['-c', 'import asyncpg']],
  ['odbc_client.py', PYTHON, ['-c', "import pyodbc; pyodbc.drivers().index('PostgreSQL Unicode')"]],
  ['pdo_client.php', 'php', ['-r', 'exit(class_exists("PDO") && function_exists("pg_connect") ? 0 : 1);']],
  ['pg_client.rb', 'ruby', ['-e', 'require "pg"']],
  ['dbi_client.pl', 'perl', ['-e', 'use DBD::Pg']],
];
for (const [name, program, needs] of CLIENTS)
  test.skipIf(!canRun(program, ...needs))(name, ({ source, target }) =>
    switchUnder({ source, target }, (bed) => startClient(program, [clientFile(name)], environment(bed))),
  );

test.skipIf(!hasProgram('psql'))('psql: \\watch goes on', async ({ source, target }) => {
  await using bed = await startProxyBed(source, target);
  const psql = startClient('psql', ['-X', '-q', '-A', '-t'], environment(bed));
  psql.child.stdin.write('SELECT 42 \\watch 0.01\n');
  const answers = () => psql.lines().filter((line) => line === '42').length;
  await switchTenTimes(bed, answers);
  const before = answers();
  await until('one more answer', async () => (answers() > before ? true : undefined), { timeoutMs: 20_000 });
  expect(psql.errors).toBe('');
  psql.child.kill('SIGTERM');
});

test.skipIf(!hasProgram('psql'))(
  'psql: Ctrl-C cancels what runs, after each switch',
  async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const running = async () => {
      const text = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(77);' AND state = 'active'";
      const found = await Promise.all([source, target].map((side) => side.rows(text)));
      return found.flat().length > 0 ? true : undefined;
    };
    for (let turn = 0; turn < SWITCHES; turn++) {
      // Where its input is not a terminal, psql ends after a Ctrl-C.
      const psql = startClient('psql', ['-X', '-q', '-A', '-t'], environment(bed));
      psql.child.stdin.write('SELECT 42;\n');
      await until('psql', async () => (psql.lines().includes('42') ? true : undefined), {
        timeoutMs: 20_000,
      });
      await bed.switchSides();
      psql.child.stdin.write('SELECT pg_sleep(77);\n');
      await until('the query', running, { timeoutMs: 20_000 });
      psql.child.kill('SIGINT');
      await until(
        'the cancellation',
        async () => (psql.errors.includes('canceling statement due to user request') ? true : undefined),
        { timeoutMs: 20_000 },
      );
      psql.child.stdin.end();
    }
  },
);
