/** All that the checks may look at. Where the lab runs is the backend's business: local/world.ts makes one. */

import type { ServerAddress } from '../../../src/index.ts';
import type { Ledger } from '../../load/ledger.ts';
import type { Sealed } from '../ledger-facts.ts';
import type { Baseline, Secrets } from '../secrets.ts';
import type { Probe } from './probe.ts';

export interface GradeWorld {
  /** What nobody but a forger does, in words. */
  readonly tampering: readonly string[];
  readonly secrets: Secrets;
  readonly baseline: Baseline;
  readonly appUrl: string;
  readonly replicaUrls: readonly string[];
  /** What serves the application's address and is not as setup made it, in words. */
  readonly strangers: readonly string[];
  /** The superuser's, on the shop's database. */
  readonly source: ServerAddress;
  /** Undefined: not deployed. */
  readonly target: ServerAddress | undefined;
  readonly ledger: Ledger;
  /** ms since 1970: what happened later is not in it. */
  readonly ledgerReadAtMs: number;
  readonly seals: readonly Sealed[];
  /** The load generator that setup started, and it runs. */
  readonly isLoadRunning: boolean;
  /** Undefined: there is none. */
  readonly reportText: string | undefined;
  /** An order through the application, and where it was found. Made once, removed again. */
  probe(): Promise<Probe>;
  /** A server of the target's version with what the source held after setup, and nothing else. Made once, at need. */
  reference(): Promise<ServerAddress>;
  /** Where a password lies open, in words. */
  exposedSecrets(): Promise<readonly string[]>;
}

export interface OpenWorld extends GradeWorld, AsyncDisposable {}

/** For checks that run only where there is a target. */
export function targetOf({ target }: GradeWorld): ServerAddress {
  if (target === undefined) throw new Error('There is no target');
  return target;
}
