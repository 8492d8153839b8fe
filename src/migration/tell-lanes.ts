import { planLanes } from '../domain/lanes.ts';
import type { StepContext } from '../engine/step.ts';
import { existingLanes } from '../postgres/lane.ts';

/** The division was made at the copy: who asks for more lanes since would wait for them in vain. */
export async function tellLanesStay(context: StepContext): Promise<void> {
  const { source, migration, plan, settings, events } = context;
  const { length } = await existingLanes(source, migration, 'forward');
  const wanted = planLanes(migration, 'forward', plan.tables, settings.replication).length;
  if (length === 0 || wanted <= length) return;
  await events.emit('warning', {
    code: 'lanes_stay',
    message: `The copy was divided over ${length} ${length === 1 ? 'lane' : 'lanes'}, and stays so; replication.lanes and replication.divide now ask for ${wanted}`,
    hint: 'Nothing needs to be done where one apply worker keeps up. To divide it anew: pgglide abort, then pgglide sync, which copies everything again.',
  });
}
