/** Settings that may be printed. Pure. */

import type { ServerAddress } from './server-address.ts';
import type { Settings } from './settings.ts';

const HIDDEN = '***';

export function withoutSecrets(settings: Settings): Settings {
  const { source, target, sourceForTarget, targetForSource, traffic } = settings;
  return {
    ...settings,
    source: hidden(source),
    target: hidden(target),
    sourceForTarget: hidden(sourceForTarget),
    targetForSource: hidden(targetForSource),
    traffic: {
      ...traffic,
      proxies: traffic.proxies.map(hideInText),
      kubernetes: {
        ...traffic.kubernetes,
        servers: {
          source: hidden(traffic.kubernetes.servers.source),
          target: hidden(traffic.kubernetes.servers.target),
        },
      },
      pgbouncer: {
        ...traffic.pgbouncer,
        bouncers: traffic.pgbouncer.bouncers.map(({ console, configFile }) => ({
          console: hidden(console),
          configFile,
        })),
      },
    },
  };
}

const hidden = (address: ServerAddress): ServerAddress =>
  address.password === undefined ? address : { ...address, password: HIDDEN };

/** Control addresses may be URLs with a user. */
const hideInText = (text: string): string =>
  /^(unix|https?):/.test(text) ? text.replace(/\/\/[^@/]*@/, `//${HIDDEN}@`) : HIDDEN;
