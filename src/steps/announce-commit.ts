import type { SwitchoverStep } from '../engine/switchover-step.ts';

/**
 * Tells the traffic switch that from now on a dead owner's pause must not end unasked on the old side: it asks the
 * migration's row, and opens the side that it names. Before the fence, because behind it the old side may be shut.
 */
export const announceCommit: SwitchoverStep = {
  id: 'announce-commit',
  title: 'Traffic switch knows of the commit point',
  isForAll: true,
  describe: () => ['the traffic switch will ask the migration’s row should this tool die'],

  run: ({ traffic, to, epoch }) => traffic.committing(to, epoch),
};
