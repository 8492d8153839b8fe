import type { ChildProcess } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** null: ended by a signal. */
  readonly exitCode: number | null;
}

/** Everything that a child with pipes says, in UTF-8, and how it ended. Rejects when it cannot be started or its signal aborts. */
export async function outputOf(child: ChildProcess): Promise<Ended> {
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const said = [child.stdout, child.stderr].map((stream) => (stream === null ? '' : text(stream)));
  const [exitCode, stdout = '', stderr = ''] = await Promise.all([ended, ...said]);
  return { stdout, stderr, exitCode };
}
