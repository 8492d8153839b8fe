/**
 * Run before a release: `node --import tsx scripts/check-release.ts`. Ends with 1 and says why when the package is not fit to
 * be published. There is one package: a hand-written changelog and this are all it takes.
 */

import { readFileSync } from 'node:fs';
import { packagePath } from '../src/base/package-root.ts';
import { releaseFaults } from './release-faults.ts';

const read = (name: string): string => readFileSync(packagePath(name), 'utf8');

const faults = releaseFaults({
  changelog: read('CHANGELOG.md'),
  packageJson: JSON.parse(read('package.json')) as { version: string },
  lockJson: JSON.parse(read('package-lock.json')) as {
    version: string;
    packages: Record<string, { version?: string }>;
  },
});
for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
