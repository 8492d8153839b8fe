/** The findings of `check`, worst last, each with its mend. Pure. */

import { databasePrefix } from '../domain/event.ts';
import type { Finding, Severity } from '../domain/finding.ts';
import { printable } from './printable.ts';
import { type Painter, padEnd, painter, type Style, visibleWidth } from './style.ts';

const WIDTH = 100;

export interface CheckSummary {
  readonly passed: number;
  readonly notes: number;
  readonly warnings: number;
  readonly blockers: number;
}

export function summarize(findings: readonly Finding[]): CheckSummary {
  const count = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length;
  return {
    passed: count('ok'),
    notes: count('note'),
    warnings: count('warning'),
    blockers: count('blocker'),
  };
}

/** With `all`, what passed is listed too; otherwise it is only counted, so that the rest is seen. */
/** @param next when nothing stands in the way */
export function checkText(findings: readonly Finding[], all: boolean, next: string, style: Style): string {
  const paint = painter(style);
  const of = (severity: Severity) => findings.filter((finding) => finding.severity === severity);
  const lines = [
    ...(all ? passedLines(of('ok'), paint) : []),
    ...[...of('note'), ...of('warning'), ...of('blocker')].flatMap((finding) => findingLines(finding, paint)),
    lastLine(summarize(findings), of('blocker'), next),
  ];
  return lines.join('\n');
}

/** What passed is told in little room: several on a line. */
function passedLines(passed: readonly Finding[], paint: Painter): string[] {
  const lines: string[] = [];
  let line = '';
  for (const { id, title } of passed) {
    const item = `${paint.ok} ${id} ${printable(title)}`;
    if (line !== '' && visibleWidth(line) + visibleWidth(item) + 3 > WIDTH) {
      lines.push(`  ${line}`);
      line = '';
    }
    line = line === '' ? item : `${line}   ${item}`;
  }
  return line === '' ? lines : [...lines, `  ${line}`];
}

function findingLines(finding: Finding, paint: Painter): string[] {
  const sign = { ok: paint.ok, note: paint.note, warning: paint.warning, blocker: paint.failed }[
    finding.severity
  ];
  const object = finding.object === undefined ? '' : `   ${paint.dim(printable(finding.object))}`;
  const on = finding.fixOn === undefined ? '' : ` on the ${finding.fixOn}`;
  return [
    `  ${sign} ${finding.id} ${printable(databasePrefix(finding) + finding.title)}${object}`,
    ...(finding.detail === undefined ? [] : [`      ${paint.dim(printable(finding.detail))}`]),
    ...(finding.fix === undefined ? [] : labelled(`fix${on}:`, finding.fix)),
    ...(finding.blocks === undefined ? [] : [`      blocks: ${printable(finding.blocks)}`]),
  ];
}

function labelled(label: string, text: string): string[] {
  const indent = `      ${label} `;
  return text
    .trimEnd()
    .split('\n')
    .map((line, index) => `${index === 0 ? indent : padEnd('', indent.length)}${printable(line)}`);
}

function lastLine(summary: CheckSummary, blockers: readonly Finding[], next: string): string {
  const parts = [
    `${summary.passed} passed`,
    ...(summary.notes > 0 ? [plural(summary.notes, 'note')] : []),
    ...(summary.warnings > 0 ? [plural(summary.warnings, 'warning')] : []),
    ...(summary.blockers > 0 ? [plural(summary.blockers, 'blocker')] : []),
  ].join(', ');
  if (blockers.length === 0) return `${parts}.   Next: ${next}`;
  const ids = [...new Set(blockers.map((finding) => finding.id))].join(', ');
  return `${parts}.   Next: fix ${ids}, then pgglide check   (background: pgglide explain ${blockers[0]?.id})`;
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
