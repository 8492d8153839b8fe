import { stringify } from 'yaml';
import type { Manifest } from './render.ts';

/** As `kubectl apply -f -` reads them. */
export const toYaml = (objects: readonly Manifest[]): string =>
  objects
    .map((object) => `---\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`)
    .join('');
