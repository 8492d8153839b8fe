/** The hooks of a command: made once, however often it opens the migration. */

import { describeAll } from '../config/server-address.ts';
import type { Settings } from '../config/settings.ts';
import { Hooks } from '../hooks/hooks.ts';
import type { CommandContext } from './command.ts';

/** Undefined where `hooks.dir` is not set. */
export function openHooks(context: CommandContext, settings: Settings): Hooks | undefined {
  const { source, target, otherDatabases, migration, hooks } = settings;
  if (hooks.dir === undefined) return undefined;
  const { output, env, signal, known } = context;
  known.hooks ??= new Hooks({
    folder: hooks.dir,
    timeoutMs: hooks.timeoutMs,
    withheld: hooks.withheld,
    env,
    migration,
    servers: { source: describeAll(source, otherDatabases), target: describeAll(target, otherDatabases) },
    tell: (text) => output.note(text),
    warn: (text) => output.warn(text),
    signal,
  });
  return known.hooks;
}
