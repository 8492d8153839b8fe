/** The traffic switch that the configuration names. */

import type { Settings } from '../config/settings.ts';
import { UsageError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { openHookSwitch } from './hook-switch.ts';
import { type ForkKeeper, openKeptSwitch } from './kept-switch.ts';
import { openKubernetes } from './open-kubernetes.ts';
import { openPgBouncerSwitch } from './pgbouncer-switch.ts';
import { openProxySwitch } from './proxy-switch.ts';
import type { TrafficPlacement } from './traffic-placement.ts';
import type { TrafficSwitch } from './traffic-switch.ts';

export interface TrafficSurroundings {
  /** Databases that move together with the lead's; our own proxy passes on whichever a client asks for. */
  readonly others: readonly string[];
  /** The servers' identifiers: a proxy that leads elsewhere is not used. */
  readonly clusters: Readonly<Record<Side, string>>;
  /** For a pooler that knows no lease. */
  readonly forkKeeper: ForkKeeper;
}

/**
 * Connects lazily: nothing is reached before it is needed.
 * @throws {UsageError} `no_traffic_switch`
 */
export function openTraffic(
  settings: Settings,
  { others, clusters, forkKeeper }: TrafficSurroundings,
): TrafficSwitch {
  const { migration, traffic } = settings;
  switch (traffic.driver) {
    case 'proxy': {
      const owner = `pgglide:${migration}:${process.pid}`;
      return openProxySwitch(traffic.proxies, owner, traffic, { migration, clusters });
    }
    case 'kubernetes':
      return openKubernetes(settings, migration, clusters).traffic;
    default:
      return openKeptSwitch(openPooler(settings, others), forkKeeper);
  }
}

/** What is not our proxy, by itself. @throws {UsageError} `no_traffic_switch` */
export function openPooler(settings: Settings, others: readonly string[]): TrafficSwitch {
  const { source, target, traffic } = settings;
  const servers = { source, target };
  const { pgbouncer, hook } = traffic;
  if (traffic.driver === 'pgbouncer') {
    if (pgbouncer.bouncers.length === 0)
      throw nothingToSwitch('No PgBouncer is named', 'Set traffic.pgbouncer.consoles and configFiles.');
    return openPgBouncerSwitch({ ...pgbouncer, servers, others });
  }
  if (traffic.driver === 'hook') {
    if (hook.program === undefined) throw nothingToSwitch('No program is named', 'Set traffic.hook.program.');
    return openHookSwitch({ ...hook, program: hook.program, servers, others });
  }
  throw nothingToSwitch(
    `traffic.driver "${traffic.driver}" cannot hold requests`,
    'Start pgglide proxy in front of the databases and name its control address in traffic.proxies.',
  );
}

/** Undefined where others put the traffic switch in its place. @throws {UsageError} `no_traffic_switch` */
export const openPlacement = (settings: Settings, migration: string): TrafficPlacement | undefined =>
  settings.traffic.driver === 'kubernetes' ? openKubernetes(settings, migration).placement : undefined;

const nothingToSwitch = (message: string, hint: string): UsageError =>
  new UsageError('no_traffic_switch', message, { hint });
