/** The configuration as the ConfigMap holds it. Pure. */

import { stringify } from 'yaml';

/**
 * Without what only leads to the cluster from outside: in a pod its service account does.
 * @param proxyImage what the proxies run, unless the configuration says it; undefined: there are none of ours
 */
export function configMapText(content: Readonly<Record<string, unknown>>, proxyImage?: string): string {
  const { kubernetes, ...rest } = content as { kubernetes?: Record<string, unknown> };
  const { kubeconfig: _file, context: _name, ...inside } = kubernetes ?? {};
  const kept = Object.keys(inside).length === 0 ? rest : { ...rest, kubernetes: inside };
  return stringify(proxyImage === undefined ? kept : withProxyImage(kept, proxyImage), { lineWidth: 0 });
}

function withProxyImage(content: Readonly<Record<string, unknown>>, image: string): Record<string, unknown> {
  const { traffic } = content as { traffic?: { kubernetes?: Record<string, unknown> } };
  return { ...content, traffic: { ...traffic, kubernetes: { image, ...traffic?.kubernetes } } };
}
