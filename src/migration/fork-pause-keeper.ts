/** Starts the keeper of a pause (pause-keeper.ts) and speaks with it. */

import { fork } from 'node:child_process';
import { entryPoint } from '../base/entry-point.ts';
import { ProcessChannel } from '../base/process-channel.ts';
import type { Settings } from '../config/settings.ts';
import type { PauseKeeper } from '../traffic/kept-switch.ts';

/** What the keeper is told first. Passwords among it: it goes through a pipe, never in arguments or the environment. */
export interface KeeperStart {
  readonly settings: Settings;
  /** Databases that move together with the lead's. */
  readonly others: readonly string[];
}

/** In a process group of its own: what ends the owner's (Ctrl-C, a terminal that closes) does not end it. */
export async function forkPauseKeeper(start: KeeperStart): Promise<PauseKeeper> {
  const { file, loader } = entryPoint('src/migration/pause-keeper');
  const child = fork(file, [], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [...loader],
  });
  child.unref();
  child.channel?.unref();
  const channel = new ProcessChannel(child, () => undefined);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void ended.then(() => channel.end());
  child.on('error', () => channel.end());
  await channel.call('start', start);
  let isNeeded = false;
  return {
    async lease(leaseMs) {
      isNeeded = true;
      await channel.call('lease', leaseMs);
    },
    committing: () => channel.call('committing'),
    async dismiss() {
      await channel.call('dismiss');
      isNeeded = false;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      if (isNeeded) return;
      child.ref();
      await ended;
    },
  };
}
