/** A whole check of two real servers, and its fixes run as a user would run them. */

import type { ServerAddress } from '../../src/config/server-address.ts';
import type { Finding, RuleId } from '../../src/domain/finding.ts';
import type { PreflightFacts } from '../../src/domain/preflight/facts.ts';
import { preflight } from '../../src/domain/preflight/preflight.ts';
import type { Thresholds } from '../../src/domain/preflight/thresholds.ts';
import type { Scope } from '../../src/domain/scope.ts';
import { Connection } from '../../src/postgres/connection.ts';
import { inspectServers } from '../../src/postgres/inspection/inspect.ts';
import { trusted } from '../../src/postgres/sql.ts';

interface Located {
  readonly address: ServerAddress;
}
export interface Pair {
  readonly source: Located;
  readonly target: Located;
}
interface CheckOptions {
  readonly scope?: Scope;
  readonly thresholds?: Partial<Thresholds>;
}

export async function factsOf({ source, target }: Pair, scope: Scope = {}): Promise<PreflightFacts> {
  await using from = await Connection.open(source.address, { purpose: 'check' });
  await using to = await Connection.open(target.address, { purpose: 'check' });
  return await inspectServers({ source: from, target: to, migration: 'test', scope });
}

/** Opens sessions of its own each time: stored settings count from the next login on. */
export const check = async (pair: Pair, options: CheckOptions = {}): Promise<Finding[]> =>
  preflight(await factsOf(pair, options.scope), options.thresholds);

/** Those of one rule that are not `ok`. */
export const troubles = async (pair: Pair, id: RuleId, options: CheckOptions = {}): Promise<Finding[]> =>
  (await check(pair, options)).filter((finding) => finding.id === id && finding.severity !== 'ok');

/** Runs each line of the fix by itself, on its side. */
export async function mend(pair: Pair, finding: Finding | undefined): Promise<void> {
  if (finding?.fix === undefined || finding.fixOn === undefined) {
    throw new Error(`Nothing to run for ${JSON.stringify(finding)}`);
  }
  await using session = await Connection.open(pair[finding.fixOn].address, { purpose: 'fix' });
  for (const line of finding.fix.split('\n')) await session.script(trusted(line));
}

/** A session that finds public, and one text of statements in it. */
export async function run(at: Located, sqlText: string): Promise<void> {
  await using session = await Connection.open(at.address, { purpose: 'test' });
  await session.script(trusted('SET search_path = public'));
  await session.script(trusted(sqlText));
}
