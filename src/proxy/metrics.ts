/** What a proxy counts, for Prometheus. */

import { metricText } from '../base/metric-text.ts';
import type { ProxyState } from './control-types.ts';

export function renderMetrics(state: ProxyState): string {
  const { sessions, counters } = state;
  const lines = [
    metricText('pgglide_proxy_sessions', 'gauge', 'Client sessions by state.', {
      '{state="idle"}': sessions.idle,
      '{state="in_transaction"}': sessions.inTransaction,
      '{state="busy"}': sessions.busy,
      '{state="held"}': sessions.held,
    }),
    metricText('pgglide_proxy_sessions_total', 'counter', 'Client sessions since the start.', {
      '': counters.sessions,
    }),
    metricText('pgglide_proxy_requests_total', 'counter', 'Requests since the start.', {
      '': counters.requests,
    }),
    metricText('pgglide_proxy_failed_total', 'counter', 'Errors that the proxy itself gave to clients.', {
      '': counters.failedByProxy,
    }),
    metricText('pgglide_proxy_holds', 'gauge', 'Owners that hold traffic now.', { '': state.holds.length }),
    metricText('pgglide_proxy_active_side', 'gauge', '1 for the side that is being served.', {
      '{side="source"}': state.activeSide === 'source' ? 1 : 0,
      '{side="target"}': state.activeSide === 'target' ? 1 : 0,
    }),
    metricText('pgglide_proxy_epoch', 'counter', 'Epoch of the migration since which this side is served.', {
      '': state.epoch,
    }),
    metricText(
      'pgglide_proxy_standby_ready',
      'gauge',
      'Sessions with a connection ready on the other side.',
      {
        '': state.standby?.ready ?? 0,
      },
    ),
  ];
  return `${lines.join('\n')}\n`;
}
