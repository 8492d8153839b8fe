/** Why the copy should stand still just now. Pure: facts and limits in, a reason for people out. */

export interface ReplicaLag {
  /** The standby's application_name. */
  readonly name: string;
  readonly lagMs: number;
}

export interface ThrottleFacts {
  /** Since when it was asked for: `pgglide throttle on`. */
  readonly throttledSince: string | undefined;
  readonly flagFileExists: boolean;
  /** The physical standby of the source that is furthest behind. */
  readonly slowestReplica: ReplicaLag | undefined;
  /** Sessions of others that execute a statement on the source; undefined: not counted. */
  readonly activeSessions: number | undefined;
}

export interface ThrottleLimits {
  readonly flagFile: string | undefined;
  readonly maxReplicaLagMs: number | undefined;
  readonly maxActiveSessions: number | undefined;
}

/** The first reason that holds; undefined: go on. */
export function throttleReason(facts: ThrottleFacts, limits: ThrottleLimits): string | undefined {
  if (facts.throttledSince !== undefined)
    return `"pgglide throttle off" (on since ${facts.throttledSince.slice(0, 19).replace('T', ' ')} UTC)`;
  if (limits.flagFile !== undefined && facts.flagFileExists) return `the removal of ${limits.flagFile}`;
  const { slowestReplica, activeSessions } = facts;
  const { maxReplicaLagMs, maxActiveSessions } = limits;
  if (slowestReplica !== undefined && maxReplicaLagMs !== undefined && slowestReplica.lagMs > maxReplicaLagMs)
    return `standby ${slowestReplica.name}, ${seconds(slowestReplica.lagMs)} behind (throttle.maxReplicaLag: ${seconds(maxReplicaLagMs)})`;
  if (activeSessions !== undefined && maxActiveSessions !== undefined && activeSessions > maxActiveSessions)
    return `${activeSessions} active sessions on the source (throttle.maxActiveSessions: ${maxActiveSessions})`;
  return undefined;
}

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
