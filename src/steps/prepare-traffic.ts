import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { describeObstacles } from '../traffic/obstacles.ts';

/**
 * Lets the traffic switch open, authenticate and warm its connections to the new side, outside the pause.
 *
 * @throws {SwitchoverAbortedError} `sessions_not_movable`, `standby_failed`
 */
export const prepareTraffic: SwitchoverStep = {
  id: 'prepare-traffic',
  title: 'Connections to the new side opened and warmed',
  isForAll: true,
  describe: ({ to }) => [`the traffic switch opens and authenticates its connections to the ${to}`],

  async run({ traffic, to }) {
    const { ready, obstacles, failures } = await traffic.prepare(to);
    if (obstacles.length > 0) {
      throw new SwitchoverAbortedError(
        'sessions_not_movable',
        `Sessions that cannot be moved: ${describeObstacles(obstacles)}`,
        { hint: 'Let them finish what they hold, or end them; then try again.' },
      );
    }
    if (failures.length > 0) {
      throw new SwitchoverAbortedError(
        'standby_failed',
        `Clients’ connections to the ${to} could not be opened: ${failures.join('; ')}`,
        {
          hint: `Mend what is named (often roles or pg_hba.conf of the ${to}), then try again. Sessions from before a change of their role's password must log in anew: end them, or let the application connect again.`,
        },
      );
    }
    return `${ready} sessions ready`;
  },
};
