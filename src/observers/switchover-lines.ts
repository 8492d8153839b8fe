/** A switchover as numbered steps, each with its time since the first request waited. Pure. */

import type {
  EventMap,
  MigrationEvent,
  StepTime,
  SwitchoverDirection,
  SwitchoverSummary,
  VerificationSummary,
} from '../domain/event.ts';
import { formatDuration } from './quantity.ts';
import { type Painter, padEnd, painter, printable, type Style } from './style.ts';

const TITLE_WIDTH = 40;
const TIME_WIDTH = 9;

export function startedLine(data: EventMap['switchover-started'], paint: Painter): string {
  const { direction, from, to } = data;
  return paint.bold(`${direction}: ${from} ${paint.arrow} ${to}`);
}

/** " 5 Last changes arrive on the other side   ✔  +0.094 s  5/8A21F3C8"; `before` are the steps already shown. */
export function stepLine(step: StepTime, before: readonly StepTime[], paint: Painter): string {
  const number = String(before.length + 1).padStart(2);
  const heldMs = before.reduce((sum, item) => (item.paused ? sum + item.ms : sum), step.ms);
  const time = step.paused ? `+${(heldMs / 1000).toFixed(3)} s` : formatDuration(step.ms);
  const shownTime = step.paused ? time.padStart(TIME_WIDTH) : paint.dim(time.padStart(TIME_WIDTH));
  return `${number} ${padEnd(printable(step.title), TITLE_WIDTH)} ${paint.ok} ${shownTime}  ${printable(step.note ?? '')}`.trimEnd();
}

/** All steps of one that is over, for the report. */
export const stepLines = (steps: readonly StepTime[], paint: Painter): readonly string[] =>
  steps.map((step, index) => stepLine(step, steps.slice(0, index), paint));

const NEXT: Readonly<Record<SwitchoverDirection, string>> = {
  cutover: 'Roll back: pgglide rollback',
  rollback: 'Next: pgglide cutover, or pgglide abort',
  rehearsal: 'Next: pgglide cutover',
};

export function finalLines(
  event: Extract<MigrationEvent, { type: 'switchover-finished' | 'switchover-aborted' }>,
  paint: Painter,
): readonly string[] {
  if (event.type === 'switchover-aborted') {
    const { direction, step, code, message, pauseMs } = event.data;
    return [
      `${paint.failed} ${direction} given up at "${printable(step)}": ${printable(message)} (${code})`,
      pauseMs > 0
        ? `  Requests waited ${formatDuration(pauseMs)} and went on where they were; nothing lost.`
        : '  No request waited; nothing lost.',
    ];
  }
  return summaryLines(event.data);
}

/** The result on stdout: the steps scrolled by on stderr already. */
export function switchoverText(
  summary: SwitchoverSummary,
  verification: VerificationSummary | undefined,
  style: Style,
): string {
  const paint = painter(style);
  return [
    ...summaryLines(summary),
    ...(verification === undefined ? [] : [verificationLine(verification, paint)]),
  ].join('\n');
}

function summaryLines({ direction, to, waits, pauseMs }: SwitchoverSummary): string[] {
  const verb =
    direction === 'rehearsal' ? 'Rehearsed, nothing switched.' : `Traffic is on the ${to.toUpperCase()}.`;
  return [
    `${verb} Held ${formatDuration(pauseMs)}, longest wait ${formatDuration(waits.longestWaitMs)}, failed requests ${waits.failedRequests}. ${NEXT[direction]}`,
  ];
}

function verificationLine({ tables, equal, seconds }: VerificationSummary, paint: Painter): string {
  const same = tables.filter((table) => table.equal).length;
  return `${equal ? paint.ok : paint.failed} ${same} of ${tables.length} tables equal on both sides at the switch (${formatDuration(seconds * 1000)})`;
}
