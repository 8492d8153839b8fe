import { expect, test } from 'vitest';
import { type ReleaseFiles, releaseFaults } from './release-faults.ts';

const files = (changelog: string, version = '0.2.0', locked = version): ReleaseFiles => ({
  changelog,
  packageJson: { version },
  lockJson: { version: locked, packages: { '': { version: locked } } },
});
const GOOD = '# Changelog\n\n## Unreleased\n\n- news\n\n## 0.1.0 (2026-11-22)\n\n- first\n';

test('a fit package has no faults', () => {
  expect(releaseFaults(files(GOOD))).toEqual([]);
  expect(releaseFaults(files('# Changelog\n\n## Unreleased\n\n- first\n', '0.1.0'))).toEqual([]);
  expect(releaseFaults(files('## Unreleased\n\n## 0.2.0 (2026-11-30)\n- x\n'))).toEqual([]);
});

test.each([
  ['no Unreleased', files('# Changelog\n\n## Pending\n- x\n'), 'does not begin with'],
  ['nothing written', files('## Unreleased\n\n## 0.1.0\n- x\n'), 'says nothing about 0.2.0'],
  ['an older version than released', files(GOOD, '0.0.9'), 'already of 0.1.0'],
  ['a version twice', files(`${GOOD}\n## 0.1.0\n`), 'a version twice'],
  ['another version in the lock file', files(GOOD, '0.2.0', '0.1.0'), 'npm install'],
  ['no version', files(GOOD, 'next'), 'is no version'],
])('%s', (_, broken, message) => {
  expect(releaseFaults(broken)).toEqual([expect.stringContaining(message)]);
});
