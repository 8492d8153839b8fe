/** Where a lab runs: as processes of this machine, or in a Kubernetes cluster. Everything else is the same. */

import type { Paths } from './folder.ts';
import type { OpenWorld } from './grade/world.ts';

export interface UpOptions {
  readonly rows: number;
  /** Requests a second. */
  readonly rate: number;
  /** Of a lab in a cluster. Undefined: kubectl's current one, if it is of the local kind. */
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
  readonly image?: string | undefined;
}

export interface ShopAddress {
  readonly host: string;
  readonly port: number;
  /** False behind a pooler that gives each transaction another session. */
  readonly preparedStatements?: boolean;
}

export interface Backend {
  /** Safe to repeat: what is there stays. */
  up(paths: Paths, options: UpOptions): Promise<void>;
  /** Resolves to false when there was no lab. */
  down(paths: Paths): Promise<boolean>;
  info(paths: Paths): Promise<string>;
  /** Resolves to what was done, in words. */
  startTarget(paths: Paths): Promise<string>;
  stopTarget(paths: Paths): Promise<string>;
  /** Resolves when every replica has gone over. */
  pointShopAt(paths: Paths, address: ShopAddress): Promise<void>;
  /** Afterwards `paths.ledger` holds what happened until now. */
  fetchLedger(paths: Paths): Promise<void>;
  openWorld(paths: Paths): Promise<OpenWorld>;
}
