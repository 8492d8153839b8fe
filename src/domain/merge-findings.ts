/** One list of findings for several databases: what is true of the servers is said once. Pure. */

import type { Finding } from './finding.ts';

/** What every database's list has alike loses its `database`; a rule passed where it passed everywhere. */
export function mergeFindings(lists: readonly (readonly Finding[])[]): Finding[] {
  const [only, ...more] = lists;
  if (only === undefined || more.length === 0) return [...(only ?? [])];
  const kept = new Map<string, Finding>();
  const all = lists.flat();
  const failed = new Set(all.filter(({ severity }) => severity !== 'ok').map(({ id }) => id));
  for (const finding of all) {
    if (finding.severity === 'ok') {
      if (!failed.has(finding.id) && !kept.has(finding.id)) kept.set(finding.id, withoutDatabase(finding));
      continue;
    }
    const isEverywhere = lists.every((list) => list.some((other) => sameBut(other, finding)));
    const entry = isEverywhere ? withoutDatabase(finding) : finding;
    kept.set(JSON.stringify(entry), entry);
  }
  return [...kept.values()].sort((a, b) => a.id.localeCompare(b.id));
}

const withoutDatabase = ({ database: _, ...finding }: Finding): Finding => finding;

const sameBut = (one: Finding, other: Finding): boolean =>
  JSON.stringify(withoutDatabase(one)) === JSON.stringify(withoutDatabase(other));
