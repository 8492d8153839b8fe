/** The lab's grader: nothing done earns nothing, each solution earns all, and each cheat loses the check that it cheats. */

import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type RunningApp, startApp } from '../../lab/app/app.ts';
import { APP_USER, type LocalRecord, readJson, writeJson } from '../../lab/labctl/folder.ts';
import { CHECKS } from '../../lab/labctl/grade/checks.ts';
import { isAlive, startTimeOf } from '../../lab/labctl/local/processes.ts';
import { serverAddress } from '../../lab/labctl/local/servers.ts';
import { readSecrets } from '../../lab/labctl/secrets.ts';
import { seedLab } from '../../lab/labctl/seed/seed-lab.ts';
import { rowsOf, withSession } from '../../lab/labctl/session.ts';
import { until } from '../../src/base/async.ts';
import { type ServerAddress, startServer } from '../../src/index.ts';
import { LabBed } from './lab-bed.ts';

const INVENTED = `Source version: 15.18
Target version: 16.14
Started: 2026-11-22T06:00:00Z
Cutover: 2026-11-22T06:02:11Z
Rows: 1000000
Failed requests: 0
Longest wait: 12 ms
Rollback: switch the connection string back
`;

const hasClients = ['psql', 'pg_dump', 'pgbouncer'].every((program) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

describe('solved', () => {
  const solutions = [
    ['with pgglide', 'solution/solve.sh', true],
    ['by hand', 'solution/by-hand/solve.sh', hasClients],
  ] as const;
  for (const [way, script, isPossible] of solutions) {
    test.skipIf(!isPossible)(`${way}: 100 points, and again`, async () => {
      await using lab = await LabBed.create();
      const solved = await lab.run(script);
      expect(solved.exitCode, solved.output).toBe(0);
      for (const time of ['first', 'second']) {
        const { exitCode, output, result } = await lab.grade();
        expect(result.score, `${time}: ${output}`).toBe(100);
        expect(result).toMatchObject({ passed: true, max_score: 100, tampering: [] });
        expect(exitCode).toBe(0);
      }
    });
  }
});

/** One lab, in which everything is done wrong, one thing after another. */
describe('not solved', () => {
  let lab: LabBed;

  beforeAll(async () => {
    lab = await LabBed.folder();
  });
  afterAll(async () => lab[Symbol.asyncDispose]());

  test('set up twice at once: one does it, the other is refused', async () => {
    const both = await Promise.all([lab.setup(), lab.setup()]);
    const outputs = both.map(({ output }) => output).join('');
    expect(both.map(({ exitCode }) => exitCode).sort(), outputs).toEqual([0, 2]);
    expect(outputs).toContain('Another setup');
  });

  function target(): ServerAddress {
    const address = serverAddress(lab.paths, 'target');
    if (address === undefined) throw new Error('The target was not started');
    return address;
  }

  test('setup again finds everything there', async () => {
    const before = await lab.processes();
    const { exitCode, output } = await lab.setup();
    expect(exitCode).toBe(0);
    expect(output.match(/there already/g)).toHaveLength(8);
    expect(await lab.processes()).toEqual(before);
  });

  test('untouched: no points for nothing', async () => {
    const { exitCode, result } = await lab.grade();
    expect(result.score).toBeLessThanOrEqual(5);
    expect(result.tests.map(({ id }) => id)).toEqual(CHECKS.map(({ id }) => id));
    expect(exitCode).toBe(1);
  });

  test('a result made beforehand is replaced', async () => {
    await writeFile(lab.jsonPath, '{"score": 100, "passed": true}');
    await chmod(lab.jsonPath, 0o444);
    const { result } = await lab.grade('--only', 'target-16');
    expect(result).toMatchObject({ score: 0, max_score: 4, passed: false });
  });

  test('a folder where the result should go stays as it is, and a place for it is asked for beforehand', async () => {
    const folder = join(lab.paths.folder, 'mine');
    await mkdir(folder);
    await writeFile(join(folder, 'thesis.txt'), 'years of work');
    const grade = (json: string) => lab.run('grade.sh', '--dir', lab.paths.folder, '--json', json);
    const refused = await grade(folder);
    expect(refused).toMatchObject({ exitCode: 2, output: expect.stringContaining('is a folder') });
    expect(await readdir(folder)).toEqual(['thesis.txt']);
    const nowhere = await grade(join(folder, 'thesis.txt', 'grade.json'));
    expect(nowhere).toMatchObject({ exitCode: 2, output: expect.stringContaining('cannot be written') });
  });

  test('a folder in the place of the report is no report, and hinders no other check', async () => {
    await mkdir(lab.reportPath);
    const graded = await lab.grade('--only', 'target-16,report-exists');
    await rm(lab.reportPath, { recursive: true });
    expect(
      graded.result.tests.map(({ status }) => status),
      graded.output,
    ).toEqual(['fail', 'fail']);
  });

  test('two gradings do not run at once; one that was killed is no hindrance', async () => {
    const lock = join(lab.paths.grader, 'lock');
    await writeFile(lock, JSON.stringify({ pid: process.pid, startedAt: startTimeOf(process.pid) }));
    const refused = await lab.grade();
    expect(refused.output).toContain('Another grading');
    expect(refused).toMatchObject({ exitCode: 2, result: { score: 0 } });
    await writeFile(lock, JSON.stringify({ pid: process.pid, startedAt: 'another time' }));
    expect(await lab.grade('--only', 'target-16')).toMatchObject({ exitCode: 1 });
  });

  test('a lab of another mode in the same folder is refused', async () => {
    expect(await lab.setup('--mode', 'k8s')).toMatchObject({
      exitCode: 2,
      output: expect.stringContaining('is of --mode local'),
    });
  });

  test('what the lab itself runs is not ended by its name', async () => {
    for (const name of ['load', 'source', '../run/load']) {
      const output = expect.stringContaining(`Not a free name: "${name}"`);
      expect(await lab.run('labctl.sh', 'stop', name)).toMatchObject({ exitCode: 2, output });
    }
    const load = (await lab.processes()).get('load');
    expect(load && isAlive(load)).toBe(true);
  });

  test('a target filled from a dump, without a switch', async () => {
    expect(await lab.run('labctl.sh', 'target', 'start')).toMatchObject({ exitCode: 0 });
    await seedLab(target(), { rows: 3000, ...readSecrets(lab.paths) });
    const graded = await lab.grade();
    expect(graded.of('target-16'), graded.output).toBe('4/4');
    expect(graded.of('schema-equal')).toBe('8/8');
    expect(graded.of('rows-baseline')).toBe('6/6');
    expect([graded.of('app-on-target'), graded.of('app-endpoint')]).toEqual(['0/8', '0/4']);
    expect([graded.of('no-lost-writes'), graded.of('zero-failed')]).toEqual(['0/10', '0/12']);
    expect(graded.exitCode).toBe(1);
  });

  test('a second shop on the target for the grader, while the customer stays on the source', async () => {
    const source = serverAddress(lab.paths, 'source');
    if (source === undefined) throw new Error('There is no source');
    const record = readJson<LocalRecord>(lab.paths.record);
    const { appPassword: password } = readSecrets(lab.paths);
    const { host, port } = source;
    const link = `host=${host} port=${port} user=${source.user} dbname=shop password=${source.password}`;
    await withSession(source, (session) => session.query('CREATE PUBLICATION p FOR ALL TABLES'));
    await withSession(target(), (session) =>
      session.query(`CREATE SUBSCRIPTION s CONNECTION '${link}' PUBLICATION p WITH (copy_data = false)`),
    );
    const hasArrived = () =>
      withSession(target(), (session) => rowsOf(session, 'SELECT FROM public.request_log LIMIT 1'));
    await until('a write of the load', async () => ((await hasArrived()).length > 0 ? true : undefined), {
      timeoutMs: 30_000,
      intervalMs: 100,
    });
    const decoy: RunningApp = await startApp({ database: { ...target(), user: APP_USER, password } });
    try {
      writeJson(lab.paths.record, { ...record, appUrl: decoy.url, replicaUrls: [decoy.url, decoy.url] });
      const graded = await lab.grade();
      expect(graded.of('app-on-target'), graded.output).toBe('0/8');
      expect(graded.output).toContain('came there by replication');
      expect(graded.of('zero-failed')).toBe('0/12');
    } finally {
      writeJson(lab.paths.record, record);
      await decoy.stop();
      // What came by replication took keys that the shop would take again.
      await withSession(target(), (session) =>
        session.query(`DROP SUBSCRIPTION s`).then(() =>
          session.query(`SELECT setval('public.orders_id_seq', 1000000), setval('public.event_ids', 1000000),
            setval('public.order_status_changes_id_seq', 1000000), setval('billing.payments_id_seq', 1000000),
            setval('billing.invoice_numbers', -1000000)`),
        ),
      );
      await withSession(source, (session) => session.query('DROP PUBLICATION p'));
    }
  });

  test('the application pointed at the target before it has caught up, and a report out of thin air', async () => {
    const { port } = target();
    expect(await lab.run('labctl.sh', 'app', `127.0.0.1:${port}`)).toMatchObject({ exitCode: 0 });
    await lab.writeReport(INVENTED);
    const graded = await lab.grade();
    expect(graded.of('app-on-target'), graded.output).toBe('8/8');
    expect(graded.of('no-lost-writes')).toBe('0/10');
    expect(graded.of('rollback-ready')).toBe('0/6');
    expect([graded.of('report-exists'), graded.of('report-true')]).toEqual(['2/2', '0/4']);
    expect(graded.of('load-kept')).toBe('5/5');
    expect(graded).toMatchObject({ exitCode: 1, result: { passed: false } });
  });

  test('a password that lies open, a sequence set back, a table too many rows', async () => {
    await writeFile(join(lab.paths.folder, 'notes.txt'), `it is ${readSecrets(lab.paths).appPassword}`);
    await withSession(target(), async (session) => {
      await session.query(`SELECT setval('public.ticket_numbers', 1)`);
      await session.query(`INSERT INTO public.countries VALUES ('XX', 'nowhere', 0)`);
      await session.query(`ALTER ROLE shop RESET lock_timeout`);
      await session.query(`DROP INDEX public.events_kind_idx`);
    });
    const graded = await lab.grade();
    expect(graded.of('secrets-clean'), graded.output).toBe('0/2');
    expect(graded.of('sequences')).toBe('4/5');
    expect(graded.of('no-extra-rows')).toBe('0/3');
    expect(graded.of('settings')).toBe('2/3');
    expect(graded.of('indexes-valid')).toBe('0/4');
  });

  test('the load stopped', async () => {
    await lab.end('load', 'SIGTERM');
    const graded = await lab.grade();
    expect(graded.of('app-on-target'), graded.output).toBe('8/8');
    expect(graded.of('load-kept')).toBe('0/5');
    expect(graded.exitCode).toBe(1);
    expect(await lab.setup()).toMatchObject({ exitCode: 2, output: expect.stringContaining('--reset') });
  });

  test('lines taken out of the ledger', async () => {
    const lines = (await readFile(lab.paths.ledger, 'utf8')).split('\n');
    await writeFile(lab.paths.ledger, lines.filter((line) => !/"status":(0|4|5)/.test(line)).join('\n'));
    const graded = await lab.grade();
    expect(graded.exitCode, graded.output).toBe(3);
    expect(graded.result.tampering.join()).toContain('ledger was changed');
    expect(graded.of('load-kept')).toBe('0/5');
  });

  test('a 15 in the place of the target', async () => {
    const { port, password = '' } = target();
    expect(await lab.run('labctl.sh', 'target', 'stop')).toMatchObject({ exitCode: 0 });
    const impostor = await startServer({ majorVersion: 15, port, password, settings: { fsync: 'off' } });
    onTestFinished(() => impostor.remove());
    await withSession(impostor.address(), (session) => session.query('CREATE DATABASE shop'));
    const graded = await lab.grade('--only', 'target-16,app-on-target');
    expect(graded.of('target-16'), graded.output).toBe('0/4');
    expect(graded.output).toContain('is not PostgreSQL 16');
  });

  test('reset begins anew, as it was', { timeout: 120_000 }, async () => {
    const reset = await lab.run('setup.sh', '--dir', lab.paths.folder, '--reset', '--yes');
    expect(reset.exitCode, reset.output).toBe(0);
    expect(readJson(lab.paths.record)).toMatchObject({ mode: 'local', rows: 3000, rate: 50 });
    expect((await lab.grade('--only', 'target-16')).output).toContain('no target is deployed');
  });

  test('down leaves nothing', async () => {
    const started = [...(await lab.processes()).values()];
    expect(started.filter(isAlive).length).toBeGreaterThan(2);
    expect(await lab.setup('--down', '--yes')).toMatchObject({ exitCode: 0 });
    expect(started.filter(isAlive)).toEqual([]);
    expect(await lab.grade()).toMatchObject({ exitCode: 2, result: { score: 0, passed: false } });
  });
});

test('a folder with other things in it is not taken for a lab, and not removed', async () => {
  await using lab = await LabBed.folder();
  const { folder } = lab.paths;
  await mkdir(folder);
  await writeFile(join(folder, 'thesis.txt'), 'years of work');
  const { exitCode, output } = await lab.setup();
  expect(output).toContain('is not empty and holds no lab');
  expect(exitCode).toBe(2);
  expect((await lab.setup('--down', '--yes')).exitCode).toBe(2);
  expect(await readdir(folder)).toEqual(['thesis.txt']);
});
