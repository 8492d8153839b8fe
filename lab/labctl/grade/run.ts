/** Runs checks, each on its own: what one of them breaks at is its ERROR and nobody else's. */

import { appOnTarget } from './checks/servers.ts';
import type { CheckDefinition, CheckResult, Status, Verdict } from './types.ts';
import type { GradeWorld } from './world.ts';

const CHECK_TIMEOUT_MS = 20_000;
/** So many at once: the machine also carries the load that is being judged. */
const AT_ONCE = 3;

export async function runChecks(
  world: GradeWorld,
  checks: readonly CheckDefinition[],
): Promise<CheckResult[]> {
  // First of all, and alone: the others need its answer, and its order must be gone before they count rows.
  const first = await runCheck(world, appOnTarget);
  const isReferenceNeeded =
    world.target !== undefined && checks.some(({ needsReference }) => needsReference === true);
  // A failure of it is told by each check that needs it.
  if (isReferenceNeeded) await world.reference().catch(() => undefined);
  const isSwitched = first.status === 'pass';
  const results = new Map<string, CheckResult>([[first.id, first]]);
  const waiting = checks.filter((check) => check.id !== first.id);
  const work = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const isSkipped = check.needsSwitch === true && !isSwitched;
      results.set(check.id, isSkipped ? skipped(check) : await runCheck(world, check));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return checks.flatMap(({ id }) => results.get(id) ?? []);
}

async function runCheck(world: GradeWorld, check: CheckDefinition): Promise<CheckResult> {
  try {
    return resultOf(check, await withTimeout(check.run(world)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ...resultOf(check, { score: 0, output: `could not look: ${message}` }), status: 'error' };
  }
}

async function withTimeout(verdict: Promise<Verdict>): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not done within ${CHECK_TIMEOUT_MS / 1000} s`)),
      CHECK_TIMEOUT_MS,
    );
  });
  return Promise.race([verdict, late]).finally(() => clearTimeout(timer));
}

const skipped = (check: CheckDefinition): CheckResult => ({
  ...resultOf(check, { score: 0, output: 'counts once the application writes to the target' }),
  status: 'skip',
});

function resultOf({ id, name, points }: CheckDefinition, verdict: Verdict): CheckResult {
  const score = Math.max(0, Math.min(points, verdict.score));
  const status: Status = score === points ? 'pass' : score > 0 ? 'part' : 'fail';
  const { output, hint, evidence } = verdict;
  return { id, name, score, max_score: points, status, output, hint, evidence };
}
