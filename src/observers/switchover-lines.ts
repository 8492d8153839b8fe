/** A switchover as numbered steps, each with its time since the first request waited. Pure. */

import type {
  EventMap,
  MigrationEvent,
  StepTime,
  SwitchoverDirection,
  SwitchoverSummary,
  VerificationSummary,
} from '../domain/event.ts';
import type { Side } from '../domain/names.ts';
import { printable } from './printable.ts';
import { formatDuration } from './quantity.ts';
import { type Painter, padEnd, painter, type Style } from './style.ts';

const TITLE_WIDTH = 47;
const TIME_WIDTH = 9;

export function startedLine(data: EventMap['switchover-started'], paint: Painter): string {
  const { direction, from, to } = data;
  return paint.bold(`${direction}: ${from} ${paint.arrow} ${to}`);
}

/** " 5 Last changes arrive on the other side   ✔  +0.094 s  5/8A21F3C8"; a step during which nobody waited shows how long it took. */
export function stepLine(step: StepTime, number: number, paint: Painter): string {
  const time =
    step.heldMs === undefined
      ? paint.dim(formatDuration(step.ms).padStart(TIME_WIDTH))
      : `+${(step.heldMs / 1000).toFixed(3)} s`.padStart(TIME_WIDTH);
  const head = `${String(number).padStart(2)} ${padEnd(printable(step.title), TITLE_WIDTH)}`;
  return `${head} ${paint.ok} ${time}  ${printable(step.note ?? '')}`.trimEnd();
}

const NEXT: Readonly<Record<SwitchoverDirection, (to: Side) => string>> = {
  cutover: () => 'Roll back: pgglide rollback',
  rollback: () => 'Next: pgglide cutover, or pgglide abort',
  rehearsal: (to) => `Next: pgglide ${to === 'target' ? 'cutover' : 'rollback'}`,
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

interface SwitchoverOutcome {
  readonly summary: SwitchoverSummary;
  readonly verification: VerificationSummary | undefined;
  readonly note?: string | undefined;
}

/** The result on stdout: the steps scrolled by on stderr already. */
export function switchoverText({ summary, verification, note }: SwitchoverOutcome, style: Style): string {
  const paint = painter(style);
  return [
    ...summaryLines(summary),
    ...(verification === undefined ? [] : [verificationLine(verification, paint)]),
    ...(note === undefined ? [] : [`${paint.warning} ${printable(note)}`]),
  ].join('\n');
}

function summaryLines({ direction, to, waits, pauseMs }: SwitchoverSummary): string[] {
  const verb =
    direction === 'rehearsal' ? 'Rehearsed, nothing switched.' : `Traffic is on the ${to.toUpperCase()}.`;
  return [
    `${verb} Held ${formatDuration(pauseMs)}, longest wait ${formatDuration(waits.longestWaitMs)}, failed requests ${waits.failedRequests}. ${NEXT[direction](to)}`,
  ];
}

function verificationLine({ tables, equal, seconds }: VerificationSummary, paint: Painter): string {
  const same = tables.filter((table) => table.equal).length;
  return `${equal ? paint.ok : paint.failed} ${same} of ${tables.length} tables equal on both sides at the switch (${formatDuration(seconds * 1000)})`;
}
