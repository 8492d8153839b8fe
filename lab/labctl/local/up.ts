/** Brings the local lab up. Every step looks first: a second run changes nothing that is there. */

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UpOptions } from '../backend.ts';
import { type Endpoint, LabError, type LocalRecord, type Paths, readRecord, writeJson } from '../folder.ts';
import { ledgerHeader } from '../ledger-facts.ts';
import { ensureSecrets, readBaseline, type Secrets, writeBaseline } from '../secrets.ts';
import { seedLab } from '../seed/seed-lab.ts';
import { countRows, withSession } from '../session.ts';
import { runSteps, type Step, type StepResult } from '../steps.ts';
import { writeConnectionFiles } from './connection-files.ts';
import { freePort } from './ports.ts';
import { ensureRunning, type Program, runningProcess } from './processes.ts';
import { front, load, replica, writeShopConfig } from './programs.ts';
import { ensureDatabase, ensureServer, serverAddress, systemIdentifier } from './servers.ts';

const SOURCE_VERSION = 15;

/** @throws {LabError} what runs no more cannot be brought back: the ledger is the witness of one run */
export async function bringUp(paths: Paths, options: UpOptions): Promise<void> {
  mkdirSync(paths.folder, { recursive: true });
  const { secrets } = ensureSecrets(paths);
  refuseInterrupted(paths, secrets);
  await runSteps(stepsOf(paths, secrets, options));
}

function refuseInterrupted(paths: Paths, { key }: Secrets): void {
  if (readBaseline(paths, key) === undefined || runningProcess(paths, 'load') !== undefined) return;
  throw new LabError(
    'The load generator runs no more (was the machine restarted?). Its ledger is the witness of one unbroken run: begin anew with setup.sh --reset',
  );
}

function stepsOf(paths: Paths, secrets: Secrets, options: UpOptions): Step[] {
  const record = () => recordOf(paths);
  return [
    {
      title: `PostgreSQL ${SOURCE_VERSION}, the source`,
      run: async () =>
        said(await ensureServer(paths, 'source', secrets.superuserPassword, SOURCE_VERSION), 'started'),
    },
    { title: `a shop of about ${options.rows} rows`, run: () => seedOnce(paths, secrets, options.rows) },
    { title: 'addresses and files to connect with', run: () => writeRecord(paths, secrets, options) },
    ...[0, 1].map((index) => ({
      title: `the shop, replica ${index + 1} of 2`,
      run: () => program(paths, replica(paths, record().replicaUrls[index] ?? '', index)),
    })),
    { title: 'one address for both', run: () => program(paths, front(record())) },
    {
      title: `${options.rate} requests per second`,
      run: () => program(paths, load(paths, record(), secrets.seed)),
    },
    { title: "the grader's baseline", run: () => takeBaseline(paths, secrets) },
  ];
}

const said = (word: string, done: string): StepResult => (word === done ? 'done' : 'already there');

const program = async (paths: Paths, wanted: Program): Promise<StepResult> =>
  said(await ensureRunning(paths, wanted), 'started');

/** A seed that was interrupted is thrown away: half a shop is worse than none. */
async function seedOnce(paths: Paths, secrets: Secrets, rows: number): Promise<StepResult> {
  const mark = join(paths.run, 'seeded');
  if (existsSync(mark)) return 'already there';
  await ensureDatabase(paths, 'source', true);
  const address = serverAddress(paths, 'source');
  if (address === undefined) throw new LabError('The source is not there', 1);
  await withSession({ ...address, database: 'postgres' }, (session) =>
    session.query('DROP ROLE IF EXISTS analyst, shop_reader, shop_owner, shop'),
  );
  await seedLab(address, { rows, seed: secrets.seed, appPassword: secrets.appPassword });
  writeFileSync(mark, '');
  return 'done';
}

async function writeRecord(paths: Paths, secrets: Secrets, options: UpOptions): Promise<StepResult> {
  const address = serverAddress(paths, 'source');
  if (address === undefined) throw new LabError('The source is not there', 1);
  const source: Endpoint = { host: address.host, port: address.port };
  writeConnectionFiles(paths, secrets);
  if (existsSync(paths.record)) return 'already there';
  const url = async () => `http://127.0.0.1:${await freePort()}`;
  rmSync(paths.ledger, { force: true });
  writeShopConfig(paths, secrets, source);
  const record: LocalRecord = {
    mode: 'local',
    createdAt: new Date().toISOString(),
    rows: options.rows,
    rate: options.rate,
    source,
    appUrl: await url(),
    replicaUrls: [await url(), await url()],
  };
  writeJson(paths.record, record);
  return 'done';
}

export function recordOf(paths: Paths): LocalRecord {
  const record = readRecord(paths);
  if (record?.mode !== 'local') throw new LabError(`There is no lab in ${paths.folder}: run setup.sh`);
  return record;
}

async function takeBaseline(paths: Paths, { key }: Secrets): Promise<StepResult> {
  if (readBaseline(paths, key) !== undefined) return 'already there';
  const source = serverAddress(paths, 'source');
  const load = runningProcess(paths, 'load');
  if (source === undefined || load === undefined) throw new LabError('Source or load are not there', 1);
  const { rows, rate, createdAt } = recordOf(paths);
  writeBaseline(paths, key, {
    createdAt,
    rows,
    rate,
    sourceIdentifier: await systemIdentifier(source),
    seededRows: await withSession(source, countRows),
    ledgerStartedAtMs: (await ledgerHeader(paths.ledger)).startedAtMs,
    load,
  });
  return 'done';
}
