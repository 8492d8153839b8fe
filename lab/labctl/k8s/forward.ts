/** A port of a pod as one of this machine, for as long as it is needed. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { LabError } from '../folder.ts';
import { argumentsOf, type Cluster, environmentOf } from './kubectl.ts';

export interface Forward extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number;
}

/** @param resource as `pod/pg-source-0` or `service/shop` @throws {LabError} nothing is there to forward to */
export async function openForward(cluster: Cluster, resource: string, port: number): Promise<Forward> {
  const child = spawn(
    'kubectl',
    argumentsOf(cluster, ['port-forward', '--address=127.0.0.1', resource, `:${port}`]),
    { env: environmentOf(cluster), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const end = () => void child.kill();
  process.once('exit', end);
  const closed = once(child, 'close');
  let errors = '';
  child.stderr.on('data', (bytes: Buffer) => {
    errors += bytes;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const local = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (local === undefined) continue;
    // "Handling connection" for each connection: read, or the pipe fills up.
    child.stdout.resume();
    return {
      port: Number(local),
      [Symbol.asyncDispose]: async () => {
        process.removeListener('exit', end);
        child.kill();
        await closed;
      },
    };
  }
  process.removeListener('exit', end);
  throw new LabError(`Cannot reach ${resource}: ${errors.trim()}`, 1);
}
