/** The state for Prometheus. Pure. */

import { metricText } from '../base/metric-text.ts';
import { type Phase, TRANSITIONS } from '../domain/phase.ts';
import type { PageState } from './page-state.ts';

const PHASES = Object.keys(TRANSITIONS) as Phase[];

export function dashboardMetrics({ status, ageMs, problem }: PageState): string {
  const link = status?.link;
  const oneOf = <T extends string>(label: string, all: readonly T[], current: T | undefined) =>
    Object.fromEntries(all.map((value) => [`{${label}="${value}"}`, value === current ? 1 : 0]));
  const metrics = [
    metricText('pgglide_up', 'gauge', '1 when the servers could be asked.', {
      '': status !== undefined && problem === undefined ? 1 : 0,
    }),
    metricText('pgglide_seen_seconds_ago', 'gauge', 'Since the servers were last asked with success.', {
      '': ageMs === undefined ? undefined : ageMs / 1000,
    }),
    metricText(
      'pgglide_phase',
      'gauge',
      '1 for the phase the migration is in.',
      oneOf('phase', PHASES, status?.phase),
    ),
    metricText(
      'pgglide_active_side',
      'gauge',
      '1 for the side that takes the writes.',
      oneOf('side', ['source', 'target'], status?.activeSide),
    ),
    metricText('pgglide_link_streaming', 'gauge', '1 when the link away from the active side runs.', {
      '': link === undefined ? undefined : Number(link.isStreaming),
    }),
    metricText('pgglide_lag_bytes', 'gauge', 'WAL that the subscriber has not confirmed.', {
      '': link?.lagBytes,
    }),
    metricText('pgglide_lag_seconds', 'gauge', 'The same in time, where it is known.', {
      '': link?.lagMs === undefined ? undefined : link.lagMs / 1000,
    }),
    metricText('pgglide_wal_held_bytes', 'gauge', 'WAL that our slots keep.', { '': link?.retainedWalBytes }),
    metricText('pgglide_wal_limit_bytes', 'gauge', 'WAL that our slots may keep.', {
      '': link?.walLimitBytes,
    }),
    metricText('pgglide_copied_bytes', 'gauge', 'Of the initial copy, while it runs.', {
      '': status?.copy?.bytes,
    }),
    metricText('pgglide_problems', 'gauge', 'What status calls a problem.', { '': status?.problems.length }),
    metricText('pgglide_requests_total', 'counter', 'Requests that the proxies have passed on.', {
      '': status?.requests?.total,
    }),
    metricText('pgglide_requests_held', 'gauge', 'Requests that the proxies hold now.', {
      '': status?.requests?.heldNow,
    }),
    metricText('pgglide_verified_equal', 'gauge', '1 when the last verification found both sides equal.', {
      '': status?.verified === undefined ? undefined : Number(status.verified.equal),
    }),
  ];
  return `${metrics.join('\n')}\n`;
}
