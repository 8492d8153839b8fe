import { readFileSync } from 'node:fs';
import { packagePath } from './package-root.ts';

/** As package.json says. */
export const ownVersion = (): string =>
  (JSON.parse(readFileSync(packagePath('package.json'), 'utf8')) as { version: string }).version;
