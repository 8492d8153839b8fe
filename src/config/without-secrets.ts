/** Settings that may be printed. Pure. */

import { formatKeyword, parseConninfo } from './conninfo-text.ts';
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
    traffic: { ...traffic, proxies: traffic.proxies.map(hideInText) },
  };
}

const hidden = (address: ServerAddress): ServerAddress =>
  address.password === undefined ? address : { ...address, password: HIDDEN };

/** PgBouncer's consoles are named by connection strings, control addresses may be URLs with a user. */
function hideInText(text: string): string {
  if (/^(unix|https?):/.test(text)) return text.replace(/\/\/[^@/]*@/, `//${HIDDEN}@`);
  try {
    const pairs = [...parseConninfo(text)].map(([keyword, value]) =>
      formatKeyword(keyword, keyword === 'password' ? HIDDEN : value),
    );
    return pairs.join(' ');
  } catch {
    return HIDDEN;
  }
}
