/** In a Job's pod: what happens becomes Events of the Job, and a Lease shows who is at work. For show: the truth is in the database. */

import type { Settings } from '../config/settings.ts';
import { PgglideError } from '../domain/errors.ts';
import type { MigrationEvent } from '../domain/event.ts';
import type { JobEvents } from '../kubernetes/job-events.ts';
import { jobOfPod } from '../kubernetes/own-job.ts';
import type { CommandContext } from './command.ts';

export async function withJobObserver<T>(
  context: CommandContext,
  settings: Settings,
  work: (toJob: (event: MigrationEvent) => void) => Promise<T>,
): Promise<T> {
  const events = await openJobEvents(context, settings);
  try {
    return await work((event) => events?.onEvent(event));
  } catch (error) {
    if (error instanceof PgglideError && !context.signal.aborted) events?.onFailure(error);
    throw error;
  } finally {
    await events?.close();
  }
}

async function openJobEvents(
  { env, output }: CommandContext,
  { kubernetes, migration }: Settings,
): Promise<JobEvents | undefined> {
  const job = jobOfPod(env);
  if (job === undefined) return undefined;
  const { JobEvents: Events } = await import('../kubernetes/job-events.ts');
  const { openCluster } = await import('../kubernetes/cluster.ts');
  const warn = (message: string) => output.warn(message);
  try {
    return new Events(await openCluster(kubernetes, env), job, { migration, warn });
  } catch (error) {
    warn(`The Job will show no Events: ${(error as Error).message}`);
    return undefined;
  }
}
