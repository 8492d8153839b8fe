/** The configuration as the ConfigMap holds it. Pure. */

import { stringify } from 'yaml';

/** Without what only leads to the cluster from outside: in a pod its service account does. */
export function configMapText(content: Readonly<Record<string, unknown>>): string {
  const { kubernetes, ...rest } = content as { kubernetes?: Record<string, unknown> };
  const { kubeconfig: _file, context: _name, ...inside } = kubernetes ?? {};
  const kept = Object.keys(inside).length === 0 ? rest : { ...rest, kubernetes: inside };
  return stringify(kept, { lineWidth: 0 });
}
