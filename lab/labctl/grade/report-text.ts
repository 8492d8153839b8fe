/** Reads the learner's report: lines of a label and a value, in any order, with anything between them. Pure. */

export interface Report {
  /** As "15.18". */
  readonly sourceVersion?: string | undefined;
  readonly targetVersion?: string | undefined;
  /** ms since 1970. */
  readonly startedMs?: number | undefined;
  readonly cutoverMs?: number | undefined;
  readonly rows?: number | undefined;
  readonly failed?: number | undefined;
  readonly longestWaitMs?: number | undefined;
  readonly rollback?: string | undefined;
}

interface Field {
  readonly key: keyof Report;
  readonly label: string;
  readonly pattern: RegExp;
  read(value: string): string | number | undefined;
}

const version = (value: string): string | undefined => /\d+\.\d+/.exec(value)?.[0];
const text = (value: string): string | undefined => (value.length >= 10 ? value : undefined);

/** Without a zone it is UTC. PostgreSQL says of a whole hour no more than "+01". */
function time(value: string): number | undefined {
  const [, day, clock, sign, hours, minutes = '00'] =
    /(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(?: ?([+-])(\d\d):?(\d\d)?)?/.exec(value) ?? [];
  const ms = Date.parse(`${day}T${clock}${sign === undefined ? 'Z' : `${sign}${hours}:${minutes}`}`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** "1,234", "1 234" and "1234 rows" alike. */
function count(value: string): number | undefined {
  const digits = /^\d[\d,_ ']*/.exec(value)?.[0]?.replaceAll(/[^\d]/g, '');
  return digits === undefined ? undefined : Number(digits);
}

/** In ms unless it says s. */
function duration(value: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?) *(ms|milliseconds|s|seconds)?\b/.exec(value);
  if (found === null) return undefined;
  const isSeconds = found[2] === 's' || found[2] === 'seconds';
  return Number(found[1]) * (isSeconds ? 1000 : 1);
}

export const REPORT_FIELDS: readonly Field[] = [
  { key: 'sourceVersion', label: 'source version', pattern: /^source(?: version)?$/, read: version },
  { key: 'targetVersion', label: 'target version', pattern: /^target(?: version)?$/, read: version },
  { key: 'startedMs', label: 'started', pattern: /^(?:started|start|start time)(?: at)?$/, read: time },
  { key: 'cutoverMs', label: 'cutover', pattern: /^cutover(?: at| time)?$/, read: time },
  { key: 'rows', label: 'rows', pattern: /^rows(?: migrated| copied)?$/, read: count },
  { key: 'failed', label: 'failed requests', pattern: /^failed(?: requests)?$/, read: count },
  { key: 'longestWaitMs', label: 'longest wait', pattern: /^longest wait$/, read: duration },
  { key: 'rollback', label: 'rollback', pattern: /^rollback(?: steps| plan)?$/, read: text },
];

/** The first line of each label counts. */
export function parseReport(report: string): Report {
  const found: Partial<Record<keyof Report, string | number>> = {};
  for (const line of report.split(/\r?\n/)) {
    const match = /^[\s*#-]*([A-Za-z ]+?)[ *]*:\s*(.+)$/.exec(line);
    if (match === null) continue;
    const [, label = '', value = ''] = match;
    const field = REPORT_FIELDS.find(({ pattern }) => pattern.test(label.trim().toLowerCase()));
    const read = field === undefined ? undefined : field.read(value.trim());
    if (field !== undefined && read !== undefined) found[field.key] ??= read;
  }
  return found as Report;
}
