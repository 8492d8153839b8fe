/** The orders service as a process: `node --import tsx lab/app/main.ts`. Configured by SHOP_CONFIG, DATABASE_URL or PG*. */

import { watchFile } from 'node:fs';
import { POOL_SIZE, startApp } from './app.ts';
import { databaseSettings } from './settings.ts';

const { SHOP_CONFIG, SHOP_HOST, SHOP_PORT, SHOP_POOL_SIZE, SHOP_DRAIN_MS } = process.env;

const app = await startApp({
  database: databaseSettings(process.env),
  port: Number(SHOP_PORT ?? 8080),
  poolSize: Number(SHOP_POOL_SIZE ?? POOL_SIZE),
  drainMs: Number(SHOP_DRAIN_MS ?? 0),
  ...(SHOP_HOST === undefined ? {} : { host: SHOP_HOST }),
});
console.log(JSON.stringify({ listening: app.url }));

if (SHOP_CONFIG !== undefined) {
  // Kubernetes replaces a mounted file behind a symbolic link: polling sees that, most watchers do not.
  watchFile(SHOP_CONFIG, { interval: 1_000 }, () => {
    const reload = async () => app.reconfigure(databaseSettings(process.env));
    reload().then(
      () => console.log(JSON.stringify({ reconfigured: true })),
      (error: Error) => console.error(JSON.stringify({ reconfigured: false, error: error.message })),
    );
  });
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void app.stop().then(() => process.exit(0)));
}
