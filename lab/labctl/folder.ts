/** Where a lab keeps its things. What is the learner's is plain to see; what is the grader's lies in `.grader`, closed to others. */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { ServerAddress } from '../../src/index.ts';

export const DATABASE = 'shop';
export const APP_USER = 'shop';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

interface CommonRecord {
  /** ISO 8601. */
  readonly createdAt: string;
  readonly rows: number;
  /** Requests a second. */
  readonly rate: number;
}

/** Public: what anyone may know. */
export interface LocalRecord extends CommonRecord {
  readonly mode: 'local';
  readonly source: Endpoint;
  /** The application's address, and those of its replicas behind it. */
  readonly appUrl: string;
  readonly replicaUrls: readonly string[];
}

export interface ClusterRecord extends CommonRecord {
  readonly mode: 'k8s';
  readonly context: string;
  /** As in KUBECONFIG; undefined: kubectl's own place. */
  readonly kubeconfig: string | undefined;
  readonly namespace: string;
  /** Of shop and load. */
  readonly image: string;
}

export type LabRecord = LocalRecord | ClusterRecord;

export interface Paths {
  readonly folder: string;
  readonly record: string;
  /** The application's connection, as a ConfigMap would be mounted. */
  readonly shopConfig: string;
  readonly connect: string;
  readonly logs: string;
  readonly run: string;
  readonly ledger: string;
  readonly source: string;
  readonly target: string;
  readonly work: string;
  readonly grader: string;
  readonly secrets: string;
  readonly baseline: string;
}

export function pathsOf(folder: string): Paths {
  const grader = join(folder, '.grader');
  return {
    folder,
    record: join(folder, 'lab.json'),
    shopConfig: join(folder, 'shop.json'),
    connect: join(folder, 'connect'),
    logs: join(folder, 'logs'),
    run: join(folder, 'run'),
    ledger: join(folder, 'ledger.jsonl'),
    source: join(folder, 'source'),
    target: join(folder, 'target'),
    work: join(folder, 'work'),
    grader,
    secrets: join(grader, 'secrets.json'),
    baseline: join(grader, 'baseline.json'),
  };
}

export function readJson<T>(path: string): T | undefined {
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** Whole or not at all: readers of the old file never meet half of the new one. */
export function writeWhole(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  const next = `${path}.${process.pid}.new`;
  writeFileSync(next, text, { mode });
  chmodSync(next, mode);
  renameSync(next, path);
}

/** Somebody's, and no lab's: `--down` removes a lab's folder with all that is in it. */
export const isForeign = ({ folder, grader }: Paths): boolean =>
  existsSync(folder) && !existsSync(grader) && readdirSync(folder).length > 0;

/** Marks the folder as a lab's. @throws {LabError} other things are in it */
export function claimFolder(paths: Paths): void {
  if (isForeign(paths))
    throw new LabError(
      `${paths.folder} is not empty and holds no lab. A lab wants a folder of its own, which --down removes: --dir D`,
    );
  // Others may enter it: as root, the servers and a pooler run as somebody else.
  mkdirSync(paths.folder, { recursive: true });
  mkdirSync(paths.grader, { recursive: true, mode: 0o700 });
  chmodSync(paths.grader, 0o700);
}

/** Undefined: no lab, or one whose setup has hardly begun. */
export const readRecord = (paths: Paths): LabRecord | undefined => readJson<LabRecord>(paths.record);

export const writeJson = (path: string, value: unknown, mode = 0o644): void =>
  writeWhole(path, `${JSON.stringify(value, undefined, 2)}\n`, mode);

export function addressOf(
  { host, port }: Endpoint,
  user: string,
  password: string,
  database = DATABASE,
): ServerAddress {
  return { host, port, user, password, database, sslMode: 'disable', connectTimeoutMs: 5_000 };
}

/** What goes wrong in the learner's or the lab's world, told without a stack. */
export class LabError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}
