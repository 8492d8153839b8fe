/** The grader's own: keys and what it must remember. Mode 600 in a folder of mode 700. */

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { type Endpoint, LabError, type Paths, readJson, writeJson } from './folder.ts';
import type { ProcessRecord } from './local/processes.ts';

export interface Secrets {
  /** Makes the load, its request ids, the ledger's chain and the rows that only the grader can tell. */
  readonly seed: string;
  readonly key: string;
  /** Also the canaries that must not turn up in a log, a report or a command line. */
  readonly appPassword: string;
  readonly superuserPassword: string;
}

export interface PodBaseline {
  readonly load: { readonly name: string; readonly uid: string; readonly specHash: string };
  /** Of a replica's container: what it runs. */
  readonly shopHash: string;
}

export interface Baseline {
  readonly createdAt: string;
  readonly rows: number;
  readonly rate: number;
  readonly sourceIdentifier: string;
  /** Rows of the user's tables right after the seed. */
  readonly seededRows: number;
  readonly ledgerStartedAtMs: number;
  /** Of a lab without a cluster: the generator's process. */
  readonly load?: ProcessRecord;
  /** Of a lab in one: what setup put there. */
  readonly pods?: PodBaseline;
  /** Since the target was deployed. */
  readonly target?: { readonly systemIdentifier: string; readonly endpoint: Endpoint };
}

export function ensureSecrets(paths: Paths): { secrets: Secrets; isNew: boolean } {
  const found = readJson<Secrets>(paths.secrets);
  if (found !== undefined) return { secrets: found, isNew: false };
  const word = (bytes: number) => randomBytes(bytes).toString('hex');
  const secrets = { seed: word(16), key: word(32), appPassword: word(12), superuserPassword: word(12) };
  writeJson(paths.secrets, secrets, 0o600);
  return { secrets, isNew: true };
}

/** Tells labs apart without telling their seed. */
export const labId = (seed: string): string =>
  createHash('sha256').update(`lab ${seed}`).digest('hex').slice(0, 12);

export function readSecrets(paths: Paths): Secrets {
  const found = readJson<Secrets>(paths.secrets);
  if (found === undefined) throw new LabError(`There is no lab in ${paths.folder}: run setup.sh`);
  return found;
}

interface SignedBaseline {
  readonly baseline: Baseline;
  readonly mac: string;
}

const macOf = (baseline: Baseline, key: string): string =>
  createHmac('sha256', key).update(JSON.stringify(baseline)).digest('hex');

export function writeBaseline(paths: Paths, key: string, baseline: Baseline): void {
  writeJson(paths.baseline, { baseline, mac: macOf(baseline, key) }, 0o600);
}

/** Undefined: setup has not come to its end. `isSigned` false: someone else wrote it. */
export function readBaseline(
  paths: Paths,
  key: string,
): { baseline: Baseline; isSigned: boolean } | undefined {
  const found = readJson<SignedBaseline>(paths.baseline);
  if (found === undefined) return undefined;
  return { baseline: found.baseline, isSigned: found.mac === macOf(found.baseline, key) };
}
