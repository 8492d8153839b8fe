/** The effective configuration: file, environment and flags in one, checked and with units resolved. */

import type { LaneDivision } from '../domain/lanes.ts';
import type { Side } from '../domain/names.ts';
import type { ServerAddress } from './server-address.ts';

/** `proxy` is our own, one or several; `kubernetes` the same, put in and taken out by us; with `none` nothing can be switched. */
export type TrafficDriver = 'proxy' | 'kubernetes' | 'pgbouncer' | 'hook' | 'none';

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';

export interface KubernetesTraffic {
  /** Undefined: none is named. */
  readonly application: KubernetesApplication | undefined;
  readonly image: string | undefined;
  readonly pullSecret: string | undefined;
  readonly tlsSecret: string | undefined;
  readonly replicas: number;
  /** As pods reach them. */
  readonly servers: Readonly<Record<Side, ServerAddress>>;
  readonly rolloutTimeoutMs: number;
}

/** Where an application in a cluster knows its database from, and who must be restarted to know it anew. */
export interface KubernetesApplication {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly keys: { readonly url: string } | { readonly host: string; readonly port: string | undefined };
  readonly workloads: readonly { readonly kind: WorkloadKind; readonly name: string }[];
}

export interface Settings {
  readonly migration: string;
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  /** How the target's server reaches the source, for the forward subscription. */
  readonly sourceForTarget: ServerAddress;
  /** How the source's server reaches the target, for the reverse subscription. */
  readonly targetForSource: ServerAddress;
  /**
   * The databases that move together with `source.database`, the lead; they have the same name on both servers.
   * `all`: every one that the source lets in, found out when it is asked.
   */
  readonly otherDatabases: readonly string[] | 'all';
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
    /** `empty`: they come as definitions only, and each side keeps its own rows. */
    readonly unloggedTables: 'carry' | 'empty';
  };
  readonly replication: {
    /** Of each direction, at most. */
    readonly lanes: number;
    readonly divide: LaneDivision;
  };
  readonly throttle: {
    readonly maxWalRetainedBytes: number;
    /** Undefined: standbys are not looked at. */
    readonly maxReplicaLagMs: number | undefined;
    /** Of others, executing a statement; undefined: they are not counted. */
    readonly maxActiveSessions: number | undefined;
    /** Absolute path; undefined: none. */
    readonly flagFile: string | undefined;
    readonly maxSlotWaitMs: number;
  };
  readonly verify: {
    readonly bits: 64 | 128;
    readonly jobs: number;
    readonly staleAfterMs: number;
    /** Between a switch and its exact comparison: see load.ts. */
    readonly settleMs: number;
  };
  readonly cutover: {
    readonly pauseBudgetMs: number;
    /** Whether a verification that is not stale must have found both sides equal. */
    readonly requireVerified: boolean;
    /** Whether the new side's cache is filled with what is hot on the old one, before the pause. */
    readonly prewarm: boolean;
  };
  readonly kubernetes: {
    /** Absolute path. */
    readonly kubeconfig: string | undefined;
    readonly context: string | undefined;
    readonly namespace: string | undefined;
  };
  readonly traffic: {
    readonly driver: TrafficDriver;
    /** Control addresses: unix:/path, http://host:port or https://host:port. */
    readonly proxies: readonly string[];
    /** For https addresses. Absolute paths. */
    readonly tokenFile: string | undefined;
    readonly caFile: string | undefined;
    readonly kubernetes: KubernetesTraffic;
    readonly pgbouncer: {
      readonly bouncers: readonly { readonly console: ServerAddress; readonly configFile: string }[];
      readonly database: string;
    };
    readonly hook: {
      /** Absolute path. */
      readonly program: string | undefined;
      readonly timeoutMs: number;
    };
  };
  readonly hooks: {
    /** Absolute path; undefined: there are none. */
    readonly dir: string | undefined;
    /** For each of them. */
    readonly timeoutMs: number;
    /** Environment variables out of which a password was read: hooks do not get them. */
    readonly withheld: readonly string[];
  };
  readonly dashboard: {
    /** host:port */
    readonly listen: string;
    /** Absolute path; undefined: a new token at each start. */
    readonly tokenFile: string | undefined;
  };
  readonly proxy: {
    /** host:port where applications connect. */
    readonly listen: string;
    /** unix:/path, http://host:port or https://host:port */
    readonly control: string;
    /** Absolute path; needed for https. */
    readonly tokenFile: string | undefined;
    /** Absolute paths; undefined: TLS is not offered. */
    readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
    /** Absolute path. */
    readonly usersFile: string | undefined;
    readonly immovable: 'refuse' | 'wait' | 'terminate';
    readonly limits: {
      readonly maxClients: number;
      readonly startupTimeoutMs: number;
      readonly connectTimeoutMs: number;
    };
    /** Absolute path; undefined: nothing is remembered. */
    readonly stateFile: string | undefined;
    readonly workers: number;
  };
}
