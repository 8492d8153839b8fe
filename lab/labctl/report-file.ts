/** The learner's report: one place whatever the lab runs on. */

import { readFileSync, statSync } from 'node:fs';

export const reportPath = (): string => process.env.LAB_REPORT ?? '/tmp/lab-migration/migration-report.txt';

/** Undefined: there is none that can be read. */
export function readReport(): string | undefined {
  const path = reportPath();
  try {
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}
