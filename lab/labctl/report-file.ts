/** The learner's report: one place whatever the lab runs on. */

import { existsSync, readFileSync } from 'node:fs';

export const reportPath = (): string => process.env.LAB_REPORT ?? '/tmp/lab-migration/migration-report.txt';

/** Undefined: there is none. */
export function readReport(): string | undefined {
  const path = reportPath();
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
