/** The lab's processes beside the servers: two replicas of the shop, the front before them, the load. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ShopAddress } from '../backend.ts';
import { APP_USER, DATABASE, type LocalRecord, type Paths, writeJson } from '../folder.ts';
import type { Secrets } from '../secrets.ts';
import type { Program } from './processes.ts';

const POOL_SIZE = 8;
const WARMUP_MS = 3_000;
const LOCALHOST = '127.0.0.1';

/** Sources run through tsx, a build runs as it is. */
function script(path: string, ...args: string[]): string[] {
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  if (import.meta.url.endsWith('.js')) return [process.execPath, file(path.replace(/\.ts$/, '.js')), ...args];
  return [process.execPath, '--import', import.meta.resolve('tsx'), file(path), ...args];
}

/** What a ConfigMap and a Secret hold in a cluster. */
export function writeShopConfig(paths: Paths, secrets: Secrets, connection: ShopAddress): void {
  const { host, port, preparedStatements } = connection;
  const settings = { host, port, user: APP_USER, password: secrets.appPassword, database: DATABASE };
  const more = preparedStatements === undefined ? {} : { preparedStatements };
  writeJson(paths.shopConfig, { ...settings, ...more }, 0o600);
}

export const replicaName = (index: number): string => `shop-${index + 1}`;

export function replica(paths: Paths, url: string, index: number): Program {
  return {
    name: replicaName(index),
    command: script('../../app/main.ts'),
    environment: {
      SHOP_CONFIG: paths.shopConfig,
      SHOP_HOST: LOCALHOST,
      SHOP_PORT: new URL(url).port,
      SHOP_POOL_SIZE: String(POOL_SIZE),
    },
    isReady: () => answers(url),
  };
}

export function front({ appUrl, replicaUrls }: LocalRecord): Program {
  const ports = replicaUrls.map((url) => new URL(url).port);
  return {
    name: 'front',
    command: script('../main.ts', 'front', new URL(appUrl).port, ...ports),
    environment: {},
    isReady: () => answers(appUrl),
  };
}

export function load(paths: Paths, { appUrl, rate }: LocalRecord, seed: string): Program {
  return {
    name: 'load',
    command: script('../../load/main.ts'),
    environment: {
      LOAD_URL: appUrl,
      LOAD_RATE: String(rate),
      LOAD_LEDGER: paths.ledger,
      LOAD_SEED: seed,
      LOAD_WARMUP_MS: String(WARMUP_MS),
    },
    isReady: async () => existsSync(paths.ledger) && readFileSync(paths.ledger).length > 0,
  };
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(new URL('/healthz', url), { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.ok;
}
