/** The traffic switch that the configuration names. */

import type { Settings } from '../config/settings.ts';
import { UsageError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { openHookSwitch } from './hook-switch.ts';
import { openKubernetes } from './open-kubernetes.ts';
import { openPgBouncerSwitch } from './pgbouncer-switch.ts';
import { openProxySwitch } from './proxy-switch.ts';
import type { TrafficPlacement } from './traffic-placement.ts';
import type { TrafficSwitch } from './traffic-switch.ts';

/**
 * Connects lazily: nothing is reached before it is needed. `others` are the databases that move together with the lead;
 * our own proxy passes on whichever a client asks for. `clusters` are the servers' identifiers: a proxy that leads elsewhere is not used.
 *
 * @throws {UsageError} `no_traffic_switch`
 */
export function openTraffic(
  settings: Settings,
  migration: string,
  others: readonly string[] = [],
  clusters?: Readonly<Record<Side, string>>,
): TrafficSwitch {
  const { source, target, traffic } = settings;
  const servers = { source, target };
  switch (traffic.driver) {
    case 'proxy':
      return openProxySwitch(
        traffic.proxies,
        `pgglide:${migration}:${process.pid}`,
        traffic,
        clusters && { migration, clusters },
      );
    case 'kubernetes':
      return openKubernetes(settings, migration).traffic;
    case 'pgbouncer':
      if (traffic.pgbouncer.bouncers.length === 0) {
        throw nothingToSwitch('No PgBouncer is named', 'Set traffic.pgbouncer.consoles and configFiles.');
      }
      return openPgBouncerSwitch({ ...traffic.pgbouncer, servers, others });
    case 'hook':
      if (traffic.hook.program === undefined) {
        throw nothingToSwitch('No program is named', 'Set traffic.hook.program.');
      }
      return openHookSwitch({ ...traffic.hook, program: traffic.hook.program, servers, others });
    case 'none':
      throw nothingToSwitch(
        'traffic.driver "none" cannot hold requests',
        'Start pgglide proxy in front of the databases and name its control address in traffic.proxies.',
      );
  }
}

/** Undefined where others put the traffic switch in its place. @throws {UsageError} `no_traffic_switch` */
export const openPlacement = (settings: Settings, migration: string): TrafficPlacement | undefined =>
  settings.traffic.driver === 'kubernetes' ? openKubernetes(settings, migration).placement : undefined;

const nothingToSwitch = (message: string, hint: string): UsageError =>
  new UsageError('no_traffic_switch', message, { hint });
