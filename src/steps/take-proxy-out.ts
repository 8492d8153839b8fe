import type { Side } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import type { PlacementState, TrafficPlacement } from '../traffic/traffic-placement.ts';

interface LeavingContext extends StepContext {
  readonly placement: TrafficPlacement;
  readonly activeSide: Side;
}

/**
 * The application goes straight to the active side again, and the proxies that we put in are gone. Its workloads are
 * restarted a pod at a time. What does not come true is undone: the application goes on through the proxies.
 * Throws what TrafficPlacement.takeOut throws.
 */
export const takeProxyOut: Step<PlacementState, LeavingContext> = {
  id: 'take-proxy-out',
  title: 'Proxies taken out; the application connects to the database itself',
  describe: () => [],

  async observe({ placement }) {
    const facts = await placement.observe();
    return { satisfied: facts.place === 'out', facts };
  },

  actions: ({ placement, activeSide, signal }) => [
    {
      on: 'traffic',
      does: placement.describe('out').join('; '),
      run: () => placement.takeOut(activeSide, signal),
    },
  ],
};
