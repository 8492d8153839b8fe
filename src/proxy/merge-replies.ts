/** What the workers of one proxy say, as if it were one process. Pure. */

import { mergeWaits } from '../domain/traffic-waits.ts';
import type { PauseReply, PrepareReply, ProxyState, ResumeReply } from './control-types.ts';

const sum = <T>(items: readonly T[], pick: (item: T) => number): number =>
  items.reduce((total, item) => total + pick(item), 0);

export const mergePrepared = (replies: readonly PrepareReply[]): PrepareReply => ({
  ready: sum(replies, ({ ready }) => ready),
  failures: [...new Set(replies.flatMap(({ failures }) => failures))],
  obstacles: replies.flatMap(({ obstacles }) => obstacles),
});

export const mergePaused = (replies: readonly PauseReply[]): PauseReply => ({
  drained: replies.every(({ drained }) => drained),
  sessions: sum(replies, ({ sessions }) => sessions),
  obstacles: replies.flatMap(({ obstacles }) => obstacles),
  drainMs: Math.max(...replies.map(({ drainMs }) => drainMs)),
});

export const mergeResumed = (replies: readonly ResumeReply[]): ResumeReply => ({
  waits: mergeWaits(replies.map(({ waits }) => waits)),
  pauseMs: Math.max(...replies.map(({ pauseMs }) => pauseMs)),
  holds: replies.flatMap(({ holds }) => holds ?? []),
});

/** Side and epoch of the worker that is behind, when the sides differ: while they do, nothing is settled. */
export function mergeStates(
  states: readonly ProxyState[],
  own: Pick<ProxyState, 'pid' | 'listen'>,
): ProxyState {
  const [oldest] = states.toSorted((left, right) => left.epoch - right.epoch);
  if (oldest === undefined) throw new Error('No worker says where traffic points');
  const isSettled = states.every(({ activeSide }) => activeSide === oldest.activeSide);
  const standbys = states.flatMap(({ standby }) => standby ?? []);
  const holds = new Map(states.flatMap((state) => state.holds.map((hold) => [hold.owner, hold] as const)));
  return {
    ...own,
    apiVersion: 1,
    activeSide: oldest.activeSide,
    // A worker that came later may not know the newest.
    epoch: isSettled ? Math.max(...states.map(({ epoch }) => epoch)) : oldest.epoch,
    holds: [...holds.values()],
    sessions: {
      total: sum(states, ({ sessions }) => sessions.total),
      idle: sum(states, ({ sessions }) => sessions.idle),
      inTransaction: sum(states, ({ sessions }) => sessions.inTransaction),
      busy: sum(states, ({ sessions }) => sessions.busy),
      held: sum(states, ({ sessions }) => sessions.held),
    },
    counters: {
      sessions: sum(states, ({ counters }) => counters.sessions),
      requests: sum(states, ({ counters }) => counters.requests),
      failedByProxy: sum(states, ({ counters }) => counters.failedByProxy),
    },
    standby:
      standbys[0] === undefined
        ? undefined
        : {
            side: standbys[0].side,
            ready: sum(standbys, ({ ready }) => ready),
            missing: sum(standbys, ({ missing }) => missing),
            failures: [...new Set(standbys.flatMap(({ failures }) => failures))],
          },
  };
}
