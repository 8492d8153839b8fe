/** PGG193 and 194: what the trial of the links reports. It needs servers, so its findings are made there; the texts are here. */

import type { RuleText } from '../finding.ts';
import type { Side } from '../names.ts';

const targetReachesSource: RuleText = {
  id: 'PGG193',
  title: 'the target’s server can connect to the source',
  severity: 'blocker',
  background: `A subscription is a connection from server to server, which pgglide's own connections say nothing of. Before anything is made, the target
makes one to the source and rolls it back: a firewall, pg_hba.conf, a name that means nothing there or a password that is not taken would
otherwise be found when all rows are copied. The error is the server's own. Where the target must use another address of
the source than pgglide, say it in source.seenByTarget.`,
};

const sourceReachesTarget: RuleText = {
  id: 'PGG194',
  title: 'the source’s server can connect to the target',
  severity: 'warning',
  background: `The way back is a subscription of the source to the target, made before the cutover begins, which would fail there. Tried as PGG193 is, where
our role may make a subscription on the source. Another address of the target than pgglide's is said in target.seenBySource.`,
};

/** By the side that is connected to. */
export const LINK_TRIALS: Readonly<Record<Side, RuleText>> = {
  source: targetReachesSource,
  target: sourceReachesTarget,
};

export const linkTrialRules: readonly RuleText[] = [targetReachesSource, sourceReachesTarget];
