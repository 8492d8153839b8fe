/** `grade.sh`: looks, tells, changes nothing that lasts. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '../backend.ts';
import { LabError, type Paths, writeWhole } from '../folder.ts';
import { takeLock } from '../lock.ts';
import { labId, readSecrets } from '../secrets.ts';
import { CHECKS } from './checks.ts';
import { exitCodeOf, listLines, resultLines, summarize } from './result.ts';
import { runChecks } from './run.ts';
import type { CheckDefinition, GradeResult } from './types.ts';

export interface GradeOptions {
  readonly json?: string | undefined;
  readonly list?: boolean | undefined;
  readonly only?: string | undefined;
  readonly hints?: boolean | undefined;
}

/** Resolves to the exit code: 0 passed, 1 not yet, 3 tampering. @throws {LabError} with 2: there is no whole lab */
export async function runGrade(paths: Paths, backend: Backend, options: GradeOptions): Promise<number> {
  const checks = chosen(options.only);
  if (options.list) {
    console.log(listLines(checks).join('\n'));
    return 0;
  }
  const result = await grade(paths, backend, checks);
  if (options.json !== undefined) writeResult(options.json, result);
  console.log(resultLines(result, options.hints ?? true).join('\n'));
  return exitCodeOf(result);
}

function chosen(only: string | undefined): readonly CheckDefinition[] {
  if (only === undefined) return CHECKS;
  const ids = only.split(',').map((id) => id.trim());
  const unknown = ids.filter((id) => CHECKS.every((check) => check.id !== id));
  if (unknown.length > 0) throw new LabError(`No such check: ${unknown.join(', ')}. See --list`);
  return CHECKS.filter(({ id }) => ids.includes(id));
}

async function grade(
  paths: Paths,
  backend: Backend,
  checks: readonly CheckDefinition[],
): Promise<GradeResult> {
  const started = performance.now();
  readSecrets(paths);
  using _lock = takeLock(paths, 'grading');
  await using world = await backend.openWorld(paths);
  const results = await runChecks(world, checks);
  return summarize(results, checks, {
    seed_id: labId(world.secrets.seed),
    grader_sha256: ownHash(),
    tampering: world.tampering,
    seconds: (performance.now() - started) / 1000,
  });
}

/** A file that is there, whoever made it and whatever its mode, is replaced. A folder is not: it may hold anything. */
function writeResult(path: string, result: GradeResult): void {
  const file = resolve(path);
  rmSync(file, { force: true });
  writeWhole(file, `${JSON.stringify(result, undefined, 2)}\n`);
}

function ownHash(): string {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const hash = createHash('sha256');
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.[jt]s$/.test(name)) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}
