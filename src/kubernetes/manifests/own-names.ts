/** How our objects in a cluster are called and found again. Pure. */

import { fnv1a } from '../../domain/names.ts';

const MAX_LABEL = 63;
/** Room for what is put behind it, such as "-rollback" and a pod's own suffix. */
const MAX_BASE = 45;

/**
 * "pgglide-shop-15-to-16": a DNS label, whatever the migration is called. What had to be changed or cut for it ends in a
 * hash: two migrations of one namespace must not take each other's proxies.
 */
export function objectName(migration: string): string {
  const slug = migration.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const name = trimmed(`pgglide-${trimmed(slug)}`);
  if (name === `pgglide-${migration}` && name.length <= MAX_BASE) return name;
  const tail = `-${fnv1a(migration)}`;
  return trimmed(name.slice(0, MAX_BASE - tail.length)) + tail;
}

const trimmed = (text: string): string => text.replace(/^-+|-+$/g, '');

export const jobName = (migration: string, command: string): string =>
  `${objectName(migration)}-${command}`.slice(0, MAX_LABEL);

export const INSTANCE_LABEL = 'app.kubernetes.io/instance';
export const COMPONENT_LABEL = 'app.kubernetes.io/component';

export const ownLabels = (migration: string, component?: string): Record<string, string> => ({
  'app.kubernetes.io/name': 'pgglide',
  [INSTANCE_LABEL]: objectName(migration),
  ...(component === undefined ? {} : { [COMPONENT_LABEL]: component }),
});
