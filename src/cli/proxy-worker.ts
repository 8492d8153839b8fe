/** A process of the proxy's: serves the connections that its parent hands it, and ends with it. */

import type { Socket } from 'node:net';
import { ProcessChannel } from '../base/process-channel.ts';
import { REFUSALS } from '../proxy/control-refusal.ts';
import type { Controlled } from '../proxy/control-server.ts';
import { tune } from '../proxy/listen.ts';
import type { ServingOptions } from '../proxy/options.ts';
import { type Serving, startServing } from '../proxy/start-proxy.ts';
import { AskedServers } from './asked-servers.ts';

/** What the parent says first. */
export interface WorkerStart
  extends Pick<
    ServingOptions,
    'servers' | 'assume' | 'stateFile' | 'clientTls' | 'usersFile' | 'immovable' | 'limits'
  > {
  readonly index: number;
  readonly migration: string;
}

type CommandName = Exclude<keyof Controlled, 'metrics'>;
const COMMANDS: readonly string[] = [
  'prepare',
  'pause',
  'renew',
  'committing',
  'resume',
  'state',
  'identity',
  'sessions',
] satisfies CommandName[];

let serving: Serving | undefined;

const channel = new ProcessChannel(
  process,
  async (call, body, socket) => {
    if (call === 'start') return start(body as WorkerStart);
    if (call === 'client' && socket !== undefined) return serve(socket);
    if (call === 'cancel') {
      const { pid, secret } = body as { pid: number; secret: string };
      return await serving?.cancel({ pid, secret: Buffer.from(secret, 'hex') });
    }
    if (!COMMANDS.includes(call)) throw new Error(`A worker does not know "${call}"`);
    const controlled = serving?.controlled('');
    const command = controlled?.[call as CommandName] as ((request: unknown) => unknown) | undefined;
    return await command?.(body);
  },
  REFUSALS,
);

async function start({ index, migration, ...options }: WorkerStart): Promise<void> {
  const asked = new AskedServers(options.servers, migration);
  serving = await startServing({
    ...options,
    ...asked.answers,
    // All workers ask the same: one of them says so.
    ...(index === 0 ? { warn: (message: string) => process.stderr.write(`pgglide: ${message}\n`) } : {}),
    worker: {
      index,
      forwardCancel: ({ pid, secret }) => channel.call('cancel', { pid, secret: secret.toString('hex') }),
    },
  });
}

function serve(socket: Socket): void {
  tune(socket);
  socket.once('close', () => channel.tell('client-left'));
  serving?.accept(socket);
}

async function stop(): Promise<void> {
  await serving?.close();
  process.exit(0);
}

// A terminal's Ctrl-C reaches the whole group: the parent decides when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => void stop());
