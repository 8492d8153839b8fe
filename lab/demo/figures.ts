/** What the demo measured, and whether it held. Pure. */

import type { AuditReport } from '../load/audit.ts';
import { percentile, type Span, type WindowStats } from '../load/latency.ts';

export interface SwitchFigures {
  readonly direction: 'cutover' | 'rollback';
  readonly requests: number;
  readonly failed: number;
  readonly longestWaitMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly pauseMs: number;
  readonly steps: readonly { readonly id: string; readonly ms: number }[];
}

export interface Figures {
  readonly ok: boolean;
  readonly seconds: number;
  readonly requests: { readonly total: number; readonly failed: number };
  readonly switchovers: readonly SwitchFigures[];
  /** Of the seconds from the first to the last switch that none of them touches: what the machine does by itself. */
  readonly between: {
    readonly seconds: number;
    readonly medianOfLongestMs: number;
    readonly longestWaitMs: number;
  };
  readonly writes: {
    readonly acknowledged: number;
    readonly lost: number;
    readonly doubled: number;
    readonly unknown: number;
  };
  readonly copy: {
    readonly tables: number;
    readonly rows: number;
    readonly bytes: number;
    readonly seconds: number;
  };
  /** After the last switch, in its pinned snapshots. */
  readonly verify: { readonly tables: number; readonly equal: number; readonly seconds: number };
  /** Why it is not ok; empty when it is. */
  readonly problems: readonly string[];
}

/** What `pgglide cutover -o json` and `rollback -o json` print. */
export interface SwitchOutput {
  readonly summary: {
    readonly direction: 'cutover' | 'rollback';
    readonly pausedAt: string;
    readonly resumedAt: string;
    readonly pauseMs: number;
    readonly waits: { readonly failedRequests: number };
    readonly steps: readonly { readonly id: string; readonly ms: number }[];
  };
  readonly verification: VerificationOutput;
}

export interface VerificationOutput {
  readonly equal: boolean;
  readonly sequencesEqual?: boolean;
  readonly seconds: number;
  readonly tables: readonly { readonly table: string; readonly equal: boolean }[];
}

/** A switchover's requests are those scheduled from 1 s before the pause to 1 s after the resume. */
export const MARGIN_MS = 1000;

export function switchFigures({ summary }: SwitchOutput, window: WindowStats): SwitchFigures {
  return {
    direction: summary.direction,
    requests: window.requests,
    failed: window.failed,
    longestWaitMs: window.longestMs,
    p50Ms: window.p50Ms,
    p95Ms: window.p95Ms,
    p99Ms: window.p99Ms,
    pauseMs: summary.pauseMs,
    steps: summary.steps.map(({ id, ms }) => ({ id, ms })),
  };
}

export const windowOf = ({ summary }: SwitchOutput): Span => ({
  fromMs: Date.parse(summary.pausedAt) - MARGIN_MS,
  toMs: Date.parse(summary.resumedAt) + MARGIN_MS,
});

export interface Measured {
  readonly seconds: number;
  readonly requests: { readonly total: number; readonly failed: number };
  readonly switches: readonly { readonly output: SwitchOutput; readonly window: WindowStats }[];
  /** The longest wait of each second between the switches, ascending. */
  readonly betweenMs: readonly number[];
  readonly audit: AuditReport;
  readonly copy: Figures['copy'];
}

export function figuresOf(measured: Measured): Figures {
  const { audit, switches, betweenMs } = measured;
  const last = switches.at(-1)?.output.verification;
  const problems = problemsOf(measured);
  return {
    ok: problems.length === 0,
    seconds: measured.seconds,
    requests: measured.requests,
    switchovers: switches.map(({ output, window }) => switchFigures(output, window)),
    between: {
      seconds: betweenMs.length,
      medianOfLongestMs: percentile(betweenMs, 0.5),
      longestWaitMs: betweenMs.at(-1) ?? 0,
    },
    writes: {
      acknowledged: audit.acknowledged,
      lost: audit.lost + (audit.other?.lost ?? 0),
      doubled: audit.doubled + (audit.other?.doubled ?? 0),
      unknown: audit.unknown,
    },
    copy: measured.copy,
    verify: {
      tables: last?.tables.length ?? 0,
      equal: last === undefined ? 0 : equalTables(last),
      seconds: last?.seconds ?? 0,
    },
    problems,
  };
}

export const equalTables = ({ tables }: VerificationOutput): number =>
  tables.filter(({ equal }) => equal).length;

function problemsOf({ requests, audit, switches }: Measured): string[] {
  const problems: string[] = [];
  if (requests.total === 0) problems.push('no request was sent');
  if (requests.failed > 0) problems.push(`${requests.failed} requests failed`);
  if (!audit.ok) problems.push(`the audit found: ${describeAudit(audit)}`);
  if (audit.other === undefined) problems.push('the other side was not audited');
  for (const { output } of switches) {
    const { direction } = output.summary;
    const { tables, sequencesEqual } = output.verification;
    const differing = tables.filter((table) => !table.equal).map((table) => table.table);
    if (differing.length > 0)
      problems.push(`after the ${direction} these tables differed: ${differing.join(', ')}`);
    if (tables.length === 0) problems.push(`after the ${direction} nothing was compared`);
    if (sequencesEqual !== true) problems.push(`at the ${direction} sequences were not carried exactly`);
  }
  return problems;
}

function describeAudit(audit: AuditReport): string {
  const side = ({ lost, doubled, torn, extra, inconsistencies }: Omit<AuditReport, 'ok' | 'other'>) =>
    `${lost} lost, ${doubled} doubled, ${torn} torn, ${extra} extra, ${inconsistencies.length} inconsistent`;
  const other = audit.other === undefined ? '' : `; on the other side ${side({ ...audit, ...audit.other })}`;
  return `${side(audit)}${other}${audit.ledgerBroken ? `; ledger: ${audit.ledgerBroken}` : ''}`;
}
