/** PGG201 and 202: what is found by asking the traffic switch itself; the texts are here. */

import type { RuleText } from '../finding.ts';

export const cannotSwitch: RuleText = {
  id: 'PGG201',
  title: 'the traffic switch can hold and move requests',
  severity: 'blocker',
  background: `A cutover needs something before the databases that holds requests for a moment. PgBouncer cannot do it with pool_mode = session: its PAUSE
would wait until every client has disconnected. Use pool_mode = transaction, or pgglide proxy. With traffic.driver none nothing can be switched.`,
};

export const switchNotReached: RuleText = {
  id: 'PGG202',
  title: 'the traffic switch answers',
  severity: 'note',
  background: `The proxy or pooler of traffic.driver does not answer yet. Sync and verify do not need it; cutover does. Put it in place early: the
application has to connect through it before the cutover.`,
};

export const trafficRules: readonly RuleText[] = [cannotSwitch, switchNotReached];
