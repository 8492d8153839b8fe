/** The effective configuration: file, environment and flags in one, checked and with units resolved. */

import type { ServerAddress } from './server-address.ts';

/**
 * - `proxy`: our own, one or several.
 * - `pgbouncer`: PgBouncer's admin console.
 * - `hook`: a program of the user's.
 * - `none`: nothing holds requests; writers wait at the barrier and are then refused on the old side.
 */
export type TrafficDriver = 'proxy' | 'pgbouncer' | 'hook' | 'none';

export interface Settings {
  readonly migration: string;
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  /** How the target's server reaches the source, for the forward subscription. */
  readonly sourceForTarget: ServerAddress;
  /** How the source's server reaches the target, for the reverse subscription. */
  readonly targetForSource: ServerAddress;
  readonly scope: {
    /** Undefined: all but the system's. */
    readonly schemas: readonly string[] | undefined;
    /** "schema.relation" */
    readonly exclude: readonly string[];
  };
  readonly copy: {
    readonly jobs: number;
    readonly indexJobs: number;
    readonly splitTablesLargerThanBytes: number;
    /** Undefined: as fast as it goes. */
    readonly rateLimitBytesPerSecond: number | undefined;
  };
  readonly throttle: {
    readonly maxReplicaLagMs: number | undefined;
    readonly maxWalRetainedBytes: number;
    /** While this file is there, the copy stands still. Absolute path. */
    readonly flagFile: string | undefined;
  };
  readonly verify: {
    readonly bits: 64 | 128;
    readonly jobs: number;
    readonly staleAfterMs: number;
  };
  readonly cutover: {
    readonly pauseBudgetMs: number;
    readonly maxLagBytes: number;
    /** Whether a verification that is not stale must have found both sides equal. */
    readonly requireVerified: boolean;
  };
  readonly traffic: {
    readonly driver: TrafficDriver;
    /** Control addresses: unix:/path or http://host:port; for pgbouncer, the admin consoles' connection strings. */
    readonly proxies: readonly string[];
    /** The hook driver's program. Absolute path. */
    readonly hook: string | undefined;
  };
  readonly proxy: {
    /** host:port where applications connect. */
    readonly listen: string;
    /** unix:/path or http://host:port */
    readonly control: string;
    /** Absolute path; undefined: nothing is remembered. */
    readonly stateFile: string | undefined;
    readonly workers: number;
  };
  readonly hooks: { readonly dir: string | undefined };
  /** host:port of the live page. */
  readonly dashboard: { readonly listen: string };
}
