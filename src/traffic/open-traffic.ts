/** The traffic switch that the configuration names. */

import type { Settings } from '../config/settings.ts';
import { UsageError } from '../domain/errors.ts';
import { openProxySwitch } from './proxy-switch.ts';
import type { TrafficSwitch } from './traffic-switch.ts';

/** Connects lazily: nothing is reached before it is needed. @throws {UsageError} `no_traffic_switch` */
export function openTraffic(settings: Settings, migration: string): TrafficSwitch {
  const { driver, proxies } = settings.traffic;
  switch (driver) {
    case 'proxy':
      return openProxySwitch(proxies, `pgglide:${migration}:${process.pid}`);
    default:
      throw new UsageError('no_traffic_switch', `traffic.driver "${driver}" cannot hold requests`, {
        hint: 'Start pgglide proxy in front of the databases and name its control address in traffic.proxies.',
      });
  }
}
