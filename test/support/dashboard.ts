/** The dashboard over a test's migration, as the command serves it. */

import { factsOf } from '../../src/cli/run-dashboard.ts';
import type { Facts } from '../../src/dashboard/facts.ts';
import { type Dashboard, startDashboard } from '../../src/dashboard/start-dashboard.ts';
import type { Scene } from './migration.ts';

export interface TestDashboard extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /** How often the servers were looked at. */
  looks(): number;
}

export async function openDashboard(
  { settings }: Scene,
  { listen = '127.0.0.1:0', tokenFile }: { readonly listen?: string; readonly tokenFile?: string } = {},
): Promise<TestDashboard> {
  const real = factsOf(settings, { withTraffic: true });
  let looks = 0;
  const facts: Facts = {
    look: (known) => {
      looks += 1;
      return real.look(known);
    },
    rest: () => real.rest(),
  };
  const dashboard: Dashboard = await startDashboard({
    listen,
    tokenFile,
    settings: { migration: settings.migration, staleAfterMs: 86_400_000, requireVerified: true },
    facts,
  });
  return {
    url: dashboard.url,
    token: dashboard.newToken ?? '',
    looks: () => looks,
    [Symbol.asyncDispose]: () => dashboard[Symbol.asyncDispose](),
  };
}
