/** How fast the copy may go: the configuration, what the operator turned since, and what stands in the way now. */

import { access } from 'node:fs/promises';
import type { Settings } from '../config/settings.ts';
import type { Side } from '../domain/names.ts';
import type { PaceSettings } from '../domain/pace.ts';
import { throttleReason } from '../domain/throttle.ts';
import { activeSessions } from '../postgres/activity.ts';
import type { Connection } from '../postgres/connection.ts';
import { slowestReplica } from '../postgres/replica-lag.ts';
import { readTuning } from './tuning.ts';

export async function readPaceSettings(
  sessions: Readonly<Record<Side, Connection>>,
  migration: string,
  { copy, throttle }: Pick<Settings, 'copy' | 'throttle'>,
): Promise<PaceSettings> {
  const tuning = (await readTuning(sessions.target, migration)) ?? {};
  const isWatchingReplicas = throttle.maxReplicaLagMs !== undefined;
  const isCountingSessions = throttle.maxActiveSessions !== undefined;
  const facts = {
    throttledSince: tuning.throttledSince,
    flagFileExists: throttle.flagFile !== undefined && (await exists(throttle.flagFile)),
    slowestReplica: isWatchingReplicas ? await slowestReplica(sessions.source) : undefined,
    activeSessions: isCountingSessions ? await activeSessions(sessions.source) : undefined,
  };
  return {
    jobs: tuning.copyJobs ?? copy.jobs,
    rateLimitBytesPerSecond: tuning.copyRateLimitBytesPerSecond ?? copy.rateLimitBytesPerSecond,
    pausedBy: throttleReason(facts, throttle),
  };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
