import type { Side } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import type { PlacementState, TrafficPlacement } from '../traffic/traffic-placement.ts';

interface ArrivingContext extends StepContext {
  readonly placement: TrafficPlacement;
  readonly activeSide: Side;
}

/**
 * The application goes through our proxies, where the traffic switch is one that we put in (traffic.driver
 * kubernetes). Its workloads are restarted a pod at a time; nobody waits, if they can be restarted without failing.
 *
 * What does not come true is undone: the application goes on as before. Throws what TrafficPlacement.putIn throws.
 */
export const putProxyIn: Step<PlacementState, ArrivingContext> = {
  id: 'put-proxy-in',
  title: 'Proxies put between application and database',
  describe: () => [],

  async observe({ placement }) {
    const facts = await placement.observe();
    return { satisfied: facts.place === 'in', facts };
  },

  actions: ({ placement, activeSide, signal }) => [
    {
      on: 'traffic',
      does: placement.describe('in').join('; '),
      run: () => placement.putIn(activeSide, signal),
    },
  ],
};
