import type { Backend } from '../backend.ts';
import { pointShopAt } from './app-config.ts';
import { takeDown } from './down.ts';
import { info } from './info.ts';
import { startTarget, stopTarget } from './target.ts';
import { bringUp, recordOf } from './up.ts';
import { openLocalWorld } from './world.ts';

export const localBackend: Backend = {
  up: bringUp,
  down: takeDown,
  info,
  startTarget,
  stopTarget,
  pointShopAt: async (paths, address) => {
    recordOf(paths);
    await pointShopAt(paths, address);
  },
  fetchLedger: async () => undefined,
  openWorld: openLocalWorld,
};
