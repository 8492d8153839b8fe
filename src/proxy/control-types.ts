/** The proxy's control API, version 1: JSON over HTTP on a Unix socket or loopback. Types only. Times in ms. */

import type { TrafficWaits } from '../domain/event.ts';
import type { Side } from '../domain/names.ts';

export interface SessionSummary {
  readonly id: number;
  readonly user: string;
  readonly database: string;
  readonly applicationName: string;
  readonly clientAddress: string;
  /** The server's process id, as in pg_stat_activity. */
  readonly backendPid: number | undefined;
  readonly state: 'starting' | 'idle' | 'in-transaction' | 'busy' | 'copying' | 'held';
  /** Why it cannot be moved or did not drain; undefined when it can. */
  readonly obstacle: string | undefined;
  /** First 200 characters of what it runs or last ran. */
  readonly query: string | undefined;
}

export interface Hold {
  readonly reason: string;
  readonly owner: string;
  readonly leaseRemainingMs: number;
}

/** GET /v1/state */
export interface ProxyState {
  readonly apiVersion: 1;
  readonly pid: number;
  /** Where sessions are served now, and since which epoch. Undefined: nobody could tell since the proxy's start, and nobody is served. */
  readonly activeSide: Side | undefined;
  readonly epoch: number;
  readonly listen: string;
  readonly holds: readonly Hold[];
  readonly sessions: {
    readonly total: number;
    readonly idle: number;
    readonly inTransaction: number;
    readonly busy: number;
    readonly held: number;
  };
  /** Since the proxy's start. */
  readonly counters: { readonly sessions: number; readonly requests: number; readonly failedByProxy: number };
  readonly standby:
    | {
        readonly side: Side;
        readonly ready: number;
        readonly missing: number;
        readonly failures: readonly string[];
      }
    | undefined;
}

/** GET /v1/identity: whose traffic this is. */
export interface ProxyIdentity {
  /** The migration's name, as the proxy looks it up. */
  readonly migration: string;
  readonly servers: Readonly<Record<Side, ProxyServer>>;
}

export interface ProxyServer {
  /** As the proxy was given it. */
  readonly address: string;
  /** The cluster's identifier; undefined while its server cannot be asked, or does not show it to the proxy's role. */
  readonly cluster: string | undefined;
}

/** POST /v1/prepare: open, authenticate and warm a connection to `to` for every session; keep new sessions prepared too. No stall. */
export interface PrepareRequest {
  readonly owner: string;
  readonly to: Side;
  readonly timeoutMs: number;
}
export interface PrepareReply {
  readonly ready: number;
  readonly failures: readonly string[];
  /** Sessions that could not be moved now (temporary tables, WITH HOLD cursors, ...). */
  readonly obstacles: readonly SessionSummary[];
}

/**
 * POST /v1/pause: hold every new transaction, let running ones finish, answer when all are drained.
 * `leaseMs` without a renewal ends the pause: traffic goes on where the truth says (see /v1/committing).
 */
export interface PauseRequest {
  readonly owner: string;
  readonly reason: string;
  readonly leaseMs: number;
  /** Budget for draining. When it ends the reply has drained = false, and the hold stays until /v1/resume. */
  readonly drainTimeoutMs: number;
}
export interface PauseReply {
  readonly drained: boolean;
  readonly sessions: number;
  readonly obstacles: readonly SessionSummary[];
  readonly drainMs: number;
}

/** POST /v1/renew */
export interface RenewRequest {
  readonly owner: string;
  readonly leaseMs: number;
}

/**
 * POST /v1/committing: the owner is about to write the commit point. From now on an ended lease
 * does not send traffic back to the old side unasked: the proxy asks the migration row, and while
 * it cannot read it, clients go on waiting until `refuseAfterMs`, then are refused with 57P03.
 */
export interface CommittingRequest {
  readonly owner: string;
  readonly to: Side;
  readonly epoch: number;
  readonly refuseAfterMs: number;
}

/**
 * POST /v1/resume: serve on `side` from now on (switching when it is the other one), release the owner's hold, staggered.
 * Answers when every held session was released. Who resumes has read the migration row, so the holds of owners that have
 * been silent for longer than their lease end, too: but for one who gives up its own pause, and has not looked.
 */
export interface ResumeRequest {
  readonly owner: string;
  readonly side: Side;
  readonly epoch: number;
  readonly isGivenUp?: boolean | undefined;
}
export interface ResumeReply {
  readonly waits: TrafficWaits;
  /** From the first hold to the last release. */
  readonly pauseMs: number;
  /** Of others: sessions are held still. Absent when there are none. */
  readonly holds?: readonly Hold[];
}

/** Every non-2xx answer. */
export interface ControlError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}
