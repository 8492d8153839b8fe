/** Configuration for a command: file, environment and the flags it was given. */

import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import type { CommandContext } from './command.ts';

/** `more` are keys that a command's own flags stand for: { 'copy.jobs': '8' }. */
export async function settingsFor(
  context: CommandContext,
  more: Readonly<Record<string, string | boolean | undefined>> = {},
): Promise<Settings> {
  const { global, env, cwd, output } = context;
  const own = Object.entries(more).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${String(value)}`],
  );
  const settings = await loadSettings({
    flags: { ...global, set: [...(global.set ?? []), ...own] },
    env,
    cwd,
    ...(env.HOME ? { home: env.HOME } : {}),
    warn: (message) => output.warn(message),
    readSecret: async (ref, cluster) => {
      const { readClusterSecret } = await import('../kubernetes/read-secret.ts');
      return readClusterSecret(ref, cluster, env);
    },
  });
  context.known.settings = settings;
  return settings;
}
