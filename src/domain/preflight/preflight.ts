/** Every rule of the check, and the check itself: facts in, findings out. */

import type { Finding, RuleText } from '../finding.ts';
import { activityRules } from './activity.ts';
import { capacityRules } from './capacity.ts';
import { extensionRules } from './extensions.ts';
import type { PreflightFacts } from './facts.ts';
import { linkTrialRules } from './link-trial.ts';
import { localeRules } from './locale.ts';
import { objectRules } from './objects.ts';
import { pitfallRules } from './pitfalls.ts';
import { privilegeRules } from './privileges.ts';
import { publishedSchemaRules } from './published-schema.ts';
import { roleRules } from './roles.ts';
import type { Rule } from './rule.ts';
import { schemaRules } from './schema.ts';
import { scratchRules } from './scratch.ts';
import { serverRules } from './servers.ts';
import { settingRules } from './settings.ts';
import { tableRules } from './tables.ts';
import { targetRules } from './target.ts';
import { DEFAULT_THRESHOLDS, type Thresholds } from './thresholds.ts';
import { trafficRules } from './traffic.ts';
import { walRules } from './wal.ts';

const checks: readonly Rule[] = [
  ...serverRules,
  ...walRules,
  ...settingRules,
  ...localeRules,
  ...extensionRules,
  ...capacityRules,
  ...tableRules,
  ...schemaRules,
  ...activityRules,
  ...objectRules,
  ...publishedSchemaRules,
  ...pitfallRules,
  ...privilegeRules,
  ...roleRules,
  ...targetRules,
].sort(byId);

/** All rules there are, in the order of their ids: for `explain` and docs/checks.md. */
export const rules: readonly RuleText[] = [...checks, ...scratchRules, ...linkTrialRules, ...trafficRules];

/** One `ok` finding for every rule that passed, in the order of ids; what was found, one each. */
export function preflight(facts: PreflightFacts, thresholds: Partial<Thresholds> = {}): Finding[] {
  const all = { ...DEFAULT_THRESHOLDS, ...thresholds };
  return checks.flatMap((rule) => findings(rule, facts, all));
}

function findings(rule: Rule, facts: PreflightFacts, thresholds: Thresholds): Finding[] {
  const reports = rule.check(facts, thresholds);
  if (reports.length === 0) {
    return [{ id: rule.id, severity: 'ok', title: rule.passed?.(facts) ?? rule.title }];
  }
  return reports.map((report) => ({ id: rule.id, ...report, severity: report.severity ?? rule.severity }));
}

function byId(a: RuleText, b: RuleText): number {
  return a.id.localeCompare(b.id);
}
