import type { Obstacle } from './traffic-switch.ts';

/** "pid 812 (shop): in transaction [UPDATE ...]; ..." */
export const describeObstacles = (obstacles: readonly Obstacle[]): string =>
  obstacles
    .map(
      ({ pid, user, what, query }) =>
        `pid ${pid ?? '?'} (${user}): ${what}${query ? ` [${query.slice(0, 60)}]` : ''}`,
    )
    .join('; ');
