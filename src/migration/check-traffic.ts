/** Can the traffic switch do its work? Asked of itself; nothing is changed. */

import { PgglideError, PrerequisiteError, UnreachableError } from '../domain/errors.ts';
import type { Finding, RuleText, Severity } from '../domain/finding.ts';
import { cannotSwitch, switchNotReached } from '../domain/preflight/traffic.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';

export async function checkTraffic(open: () => TrafficSwitch): Promise<Finding[]> {
  try {
    await using traffic = open();
    const { description } = await traffic.observe();
    return [
      { id: cannotSwitch.id, severity: 'ok', title: cannotSwitch.title },
      { id: switchNotReached.id, severity: 'ok', title: description },
    ];
  } catch (error) {
    if (!(error instanceof PgglideError)) throw error;
    if (error instanceof UnreachableError) return [finding(switchNotReached, 'note', error)];
    // Only what somebody has to change before a cutover is possible at all keeps a sync from starting.
    return [finding(cannotSwitch, error instanceof PrerequisiteError ? 'blocker' : 'warning', error)];
  }
}

const finding = ({ id }: RuleText, severity: Severity, { message, hint }: PgglideError): Finding => ({
  id,
  severity,
  title: message,
  ...(hint === undefined ? {} : { detail: hint }),
  blocks: 'cutover',
});
