/** The shape of one rule: a pure look at the facts. */

import type { Finding, RuleText } from '../finding.ts';
import type { Side } from '../names.ts';
import type { PreflightFacts } from './facts.ts';
import type { Thresholds } from './thresholds.ts';

/** A finding before its rule has put id and, where not said otherwise, severity on it. */
export type Report = Omit<Finding, 'id' | 'severity'> & Partial<Pick<Finding, 'severity'>>;

export interface Rule extends RuleText {
  /** Nothing reported means passed. */
  readonly check: (facts: PreflightFacts, thresholds: Thresholds) => readonly Report[];
  /** The title of a passed check when it can say more than the rule's own title. */
  readonly passed?: (facts: PreflightFacts) => string;
}

/** What to report when the role may not see what the rule needs. */
export const couldNotLook = (what: string, server: Side, fix: string): Report => ({
  severity: 'warning',
  title: `could not look at ${what} on the ${server}`,
  detail: 'Without this privilege the check is blind here; the migration itself may still work.',
  fix,
  fixOn: server,
});
