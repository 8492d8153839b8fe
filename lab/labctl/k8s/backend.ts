import type { Backend } from '../backend.ts';
import type { Paths } from '../folder.ts';
import { readBaseline, readSecrets } from '../secrets.ts';
import { clusterOf, clusterRecordOf } from './cluster-record.ts';
import { takeDown } from './down.ts';
import { info } from './info.ts';
import { fetchLedger } from './load.ts';
import { pointShopAt } from './shop.ts';
import { startTarget, stopTarget } from './target.ts';
import { bringUp } from './up.ts';
import { openClusterWorld } from './world.ts';

export const clusterBackend: Backend = {
  up: bringUp,
  down: takeDown,
  info,
  startTarget,
  stopTarget,
  pointShopAt,
  fetchLedger: async (paths: Paths) => {
    const pods = readBaseline(paths, readSecrets(paths).key)?.baseline.pods;
    if (pods !== undefined) await fetchLedger(paths, clusterOf(clusterRecordOf(paths)), pods.load.name);
  },
  openWorld: openClusterWorld,
};
