/** Is this proxy the one that the migration's clients go through? Pure. */

import { SIDES, type Side } from '../domain/names.ts';
import type { ProxyIdentity } from '../proxy/control-types.ts';

export interface ExpectedIdentity {
  /** The migration's name. */
  readonly migration: string;
  /** The clusters' identifiers: a server may have another address where the proxy is. */
  readonly clusters: Readonly<Record<Side, string>>;
}

/**
 * A proxy of another migration has other clients, and one that was started with other servers would move ours to a server
 * that is not the target. What is not known speaks against nobody.
 *
 * @returns what is wrong with it, to be said of it; undefined: nothing is
 */
export function strayIdentity(
  { migration, servers }: Partial<ProxyIdentity>,
  expected: ExpectedIdentity,
): string | undefined {
  if (migration !== undefined && migration !== expected.migration)
    return `serves migration "${migration}", not "${expected.migration}"`;
  for (const side of SIDES) {
    const { address, cluster } = servers?.[side] ?? {};
    if (cluster !== undefined && cluster !== expected.clusters[side])
      return `has ${address} as its ${side}, which is another server than this migration’s`;
  }
  return undefined;
}
