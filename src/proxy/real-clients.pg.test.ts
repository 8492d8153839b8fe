/** Drivers and tools as people use them, across ten switches back and forth: no error, and every write exactly once. */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

/** Debian's own Python, where python3-psycopg2 installs. */
const PYTHON = '/usr/bin/python3';
const hasPsycopg2 = (() => {
  try {
    execFileSync(PYTHON, ['-c', 'import psycopg2'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const PSYCOPG2 = `
import psycopg2, sys, threading
from psycopg2.extras import execute_values
stop = threading.Event()
failed = []
def work(worker):
    n = 0
    try:
        connection = psycopg2.connect('')
        while not stop.is_set():
            with connection, connection.cursor() as cursor:
                execute_values(cursor, 'INSERT INTO tally (worker, n) VALUES %s', [(worker, n), (worker, n + 1)])
                cursor.execute('SELECT count(*) FROM tally WHERE worker = %s', (worker,))
                cursor.fetchone()
            with connection, connection.cursor('named') as cursor:
                cursor.itersize = 10
                cursor.execute('SELECT generate_series(1, 50)')
                if len(cursor.fetchall()) != 50: raise Exception('rows are missing')
            n += 2
            # In one piece: the threads' lines must not mix.
            print(f'{worker}/{n - 2}\\n{worker}/{n - 1}\\n', end='', flush=True)
        connection.close()
    except Exception as error:
        failed.append(repr(error))
threads = [threading.Thread(target=work, args=(worker,)) for worker in (1, 2, 3)]
for thread in threads: thread.start()
sys.stdin.read()
stop.set()
for thread in threads: thread.join()
if failed: sys.exit('; '.join(failed))
`;

/** Starts a client that prints a line for each write it was promised, and ends when its input does. */
function startClient(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(program, args, { env });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (data: Buffer) => {
    output += String(data);
  });
  child.stderr.on('data', (data: Buffer) => {
    errors += String(data);
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const lines = () => output.split('\n').filter((line) => line !== '');
  return {
    child,
    lines,
    get errors() {
      return errors;
    },
    async end(): Promise<string[]> {
      child.stdin.end();
      expect([await ended, errors]).toEqual([0, '']);
      return lines();
    },
  };
}

test.skipIf(!hasPsycopg2)(
  'psycopg2: transactions, batches and server-side cursors in threads',
  async ({ source, target }) => {
    for (const side of [source, target]) await side.exec(TABLE);
    await using bed = await startProxyBed(source, target);
    const python = startClient(PYTHON, ['-c', PSYCOPG2], environment(bed));
    await switchTenTimes(bed, () => python.lines().length);
    const acknowledged = await python.end();
    expect((await written(source, target)).sort()).toEqual(acknowledged.sort());
  },
);

const JDBC = '/usr/share/java/postgresql.jar';
const JAVA = `
import java.sql.*;
import java.util.*;
import java.util.concurrent.atomic.*;
public class Client {
  static final AtomicBoolean stop = new AtomicBoolean();
  static final List<String> failed = Collections.synchronizedList(new ArrayList<>());
  static void work(int worker) {
    String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE") + "?prepareThreshold=3";
    try (Connection connection = DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
      PreparedStatement insert = connection.prepareStatement("INSERT INTO tally (worker, n) VALUES (?, ?)");
      for (int n = 0; !stop.get(); n += 4) {
        insert.setInt(1, worker);
        insert.setInt(2, n);
        insert.executeUpdate();
        connection.setAutoCommit(false);
        for (int more = 1; more < 4; more++) {
          insert.setInt(1, worker);
          insert.setInt(2, n + more);
          insert.addBatch();
        }
        insert.executeBatch();
        Statement rows = connection.createStatement();
        rows.setFetchSize(7);
        int count = 0;
        try (ResultSet set = rows.executeQuery("SELECT generate_series(1, 30)")) { while (set.next()) count++; }
        if (count != 30) throw new SQLException("rows are missing");
        connection.commit();
        connection.setAutoCommit(true);
        synchronized (System.out) {
          for (int more = 0; more < 4; more++) System.out.println(worker + "/" + (n + more));
          System.out.flush();
        }
      }
    } catch (Exception error) {
      failed.add(error.toString());
    }
  }
  public static void main(String[] args) throws Exception {
    List<Thread> threads = new ArrayList<>();
    for (int worker = 1; worker <= 3; worker++) {
      int own = worker;
      Thread thread = new Thread(() -> work(own));
      threads.add(thread);
      thread.start();
    }
    while (System.in.read() >= 0) {}
    stop.set(true);
    for (Thread thread : threads) thread.join();
    if (!failed.isEmpty()) { System.err.println(failed); System.exit(1); }
  }
}
`;

test.skipIf(!existsSync(JDBC) || !has('java') || !has('javac'))(
  'JDBC: server-prepared statements, batches and fetch sizes in threads',
  async ({ source, target }) => {
    for (const side of [source, target]) await side.exec(TABLE);
    await using bed = await startProxyBed(source, target);
    await writeFile(join(bed.folder, 'Client.java'), JAVA);
    await run('javac', ['-d', bed.folder, join(bed.folder, 'Client.java')]);
    const java = startClient('java', ['-cp', `${bed.folder}:${JDBC}`, 'Client'], environment(bed));
    await switchTenTimes(bed, () => java.lines().length);
    const acknowledged = await java.end();
    expect((await written(source, target)).sort()).toEqual(acknowledged.sort());
  },
);

test.skipIf(!has('psql'))('psql: \\watch goes on', async ({ source, target }) => {
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

test.skipIf(!has('psql'))('psql: Ctrl-C cancels what runs, after each switch', async ({ source, target }) => {
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
    await until('psql', async () => (psql.lines().includes('42') ? true : undefined), { timeoutMs: 20_000 });
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
});
