/** Counters and gauges in Prometheus' text format. @see https://prometheus.io/docs/instrumenting/exposition_formats/ */

import type { ProxyState } from './control-types.ts';

const line = (
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  samples: Readonly<Record<string, number>>,
): string =>
  [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...Object.entries(samples).map(([labels, value]) => `${name}${labels} ${value}`),
  ].join('\n');

export function renderMetrics(state: ProxyState): string {
  const { sessions, counters } = state;
  const lines = [
    line('pgglide_proxy_sessions', 'gauge', 'Client sessions by state.', {
      '{state="idle"}': sessions.idle,
      '{state="in_transaction"}': sessions.inTransaction,
      '{state="busy"}': sessions.busy,
      '{state="held"}': sessions.held,
    }),
    line('pgglide_proxy_sessions_total', 'counter', 'Client sessions since the start.', {
      '': counters.sessions,
    }),
    line('pgglide_proxy_requests_total', 'counter', 'Requests since the start.', { '': counters.requests }),
    line('pgglide_proxy_failed_total', 'counter', 'Errors that the proxy itself gave to clients.', {
      '': counters.failedByProxy,
    }),
    line('pgglide_proxy_holds', 'gauge', 'Owners that hold traffic now.', { '': state.holds.length }),
    line('pgglide_proxy_active_side', 'gauge', '1 for the side that is being served.', {
      '{side="source"}': state.activeSide === 'source' ? 1 : 0,
      '{side="target"}': state.activeSide === 'target' ? 1 : 0,
    }),
    line('pgglide_proxy_epoch', 'counter', 'Epoch of the migration since which this side is served.', {
      '': state.epoch,
    }),
    line('pgglide_proxy_standby_ready', 'gauge', 'Sessions with a connection ready on the other side.', {
      '': state.standby?.ready ?? 0,
    }),
  ];
  return `${lines.join('\n')}\n`;
}
