/** Waits until a postmaster takes connections, or says why it does not. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../base/async.ts';
import { PrerequisiteError, UnexpectedError } from '../domain/errors.ts';
import type { Supervisor } from './supervisor.ts';

const START_TIMEOUT_MS = 60_000;

/** The last line of postmaster.pid says `ready` once connections are taken: what pg_ctl -w waits for, too. */
export async function untilReady(
  supervisor: Supervisor,
  dataDirectory: string,
  log: () => string,
  port: number,
): Promise<void> {
  const started = performance.now();
  const pidFile = join(dataDirectory, 'postmaster.pid');
  while (!isReady(pidFile, supervisor.pid)) {
    if (supervisor.hasEnded) throw startFailure(log(), port);
    if (performance.now() - started > START_TIMEOUT_MS) {
      supervisor.signal('QUIT');
      throw startFailure(log(), port);
    }
    await sleep(5);
  }
}

function isReady(pidFile: string, pid: number): boolean {
  if (!existsSync(pidFile)) return false;
  const lines = readFileSync(pidFile, 'utf8').split('\n');
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready';
}

function startFailure(log: string, port: number): PrerequisiteError | UnexpectedError {
  if (/could not bind .*(in use|EADDRINUSE)/i.test(log)) {
    return new PrerequisiteError('embedded_server_port_taken', `Port ${port} of 127.0.0.1 is taken`, {
      hint: 'Name another port, or none for a free one.',
      facts: { port },
    });
  }
  const end = log.trim().split('\n').slice(-8).join('\n');
  return new UnexpectedError('embedded_server_failed', `The embedded server did not start:\n${end}`);
}
