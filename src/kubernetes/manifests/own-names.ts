/** How our objects in a cluster are called and found again. Pure. */

const MAX_LABEL = 63;
/** Room for what is put behind it, such as "-rollback" and a pod's own suffix. */
const MAX_BASE = 45;

/** "pgglide-shop-15-to-16": a DNS label, whatever the migration is called. */
export function objectName(migration: string): string {
  const slug = migration
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '');
  return `pgglide-${slug}`.slice(0, MAX_BASE).replace(/-+$/, '');
}

export const jobName = (migration: string, command: string): string =>
  `${objectName(migration)}-${command}`.slice(0, MAX_LABEL);

export const INSTANCE_LABEL = 'app.kubernetes.io/instance';
const COMPONENT_LABEL = 'app.kubernetes.io/component';

export const ownLabels = (migration: string, component?: string): Record<string, string> => ({
  'app.kubernetes.io/name': 'pgglide',
  [INSTANCE_LABEL]: objectName(migration),
  ...(component === undefined ? {} : { [COMPONENT_LABEL]: component }),
});
