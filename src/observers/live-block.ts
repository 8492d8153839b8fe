/** The part of the screen that is drawn again and again: the step under way, the running tables, what is kept for us. Pure. */

import type { CopyProgress, CopyTableProgress } from '../domain/event.ts';
import { fractionDone, remainingMs } from '../domain/progress.ts';
import { printable } from './printable.ts';
import {
  formatBytes,
  formatBytesOf,
  formatClock,
  formatCount,
  formatDuration,
  formatPercent,
} from './quantity.ts';
import { fitToWidth, type Painter, padEnd } from './style.ts';
import { tableRate, type View } from './view.ts';

export interface LiveBlockOptions {
  readonly migration: string;
  readonly nowMs: number;
  readonly width: number;
  /** Lines of the screen; the block never takes more than half of it. */
  readonly height: number;
  /** The limit of WAL kept on the source, for comparison. */
  readonly walLimitBytes: number | undefined;
  readonly paint: Painter;
}

const MOST_TABLES = 8;

export function liveBlock(view: View, options: LiveBlockOptions): readonly string[] {
  const { paint, width } = options;
  const lines = [
    headline(view, options),
    ...(view.step === undefined ? [] : [stepLine(view.step, paint)]),
    ...(view.isCopying && view.copy !== undefined ? copyLines(view, view.copy, options) : []),
    ...(view.verify === undefined ? [] : [verifyLine(view.verify, paint)]),
    footLine(view, options),
  ];
  return lines.filter((line) => line !== '').map((line) => fitToWidth(line, width, paint.ellipsis));
}

function headline(view: View, { migration, nowMs, paint }: LiveBlockOptions): string {
  const elapsed = view.startedAtMs === undefined ? undefined : formatClock(nowMs - view.startedAtMs);
  const eta = view.isCopying ? copyRemainingMs(view.copy) : undefined;
  return [
    paint.bold(printable(migration)),
    stateOf(view).toUpperCase(),
    elapsed === undefined ? '' : `elapsed ${elapsed}`,
    eta === undefined ? '' : `ETA ${formatClock(eta)}`,
  ]
    .filter((part) => part !== '')
    .join('   ');
}

/** One word for what goes on. */
export function stateOf(view: View): string {
  if (view.switchover !== undefined) return view.switchover.direction;
  if (view.isCopying) return 'copying';
  if (view.verify !== undefined) return 'verifying';
  if (view.indexes !== undefined && view.indexes.done < view.indexes.total) return 'indexing';
  return view.phase ?? 'working';
}

export const copyRemainingMs = (copy: CopyProgress | undefined): number | undefined =>
  copy === undefined
    ? undefined
    : remainingMs({ done: copy.bytes, total: copy.totalBytes, perSecond: copy.bytesPerSecond });

const stepLine = (step: NonNullable<View['step']>, paint: Painter): string => {
  const waiting =
    step.waitingFor === undefined ? '' : paint.dim(`   waiting for ${printable(step.waitingFor)}`);
  return `${paint.running} ${printable(step.title)}${waiting}`;
};

function copyLines(view: View, copy: CopyProgress, { paint, width, height }: LiveBlockOptions): string[] {
  const room = Math.max(1, Math.min(MOST_TABLES, Math.floor(height / 2) - 4));
  const shown = copy.running.slice(0, room);
  const waiting = copy.tables - copy.tablesDone - copy.running.length;
  const hidden = copy.running.length - shown.length;
  return [
    [
      `  copy ${formatPercent(fractionDone(copy.bytes, copy.totalBytes))}`,
      formatBytesOf(copy.bytes, copy.totalBytes),
      `${formatBytes(copy.bytesPerSecond)}/s`,
      `${formatCount(copy.rows)} rows`,
    ].join('   '),
    ...shown.map((table) => tableLine(table, tableRate(view, table.table), paint, width)),
    paint.dim(
      `    ${paint.ellipsis} ${hidden > 0 ? `${hidden} more running, ` : ''}${formatCount(copy.tablesDone)} done, ${formatCount(Math.max(0, waiting))} waiting`,
    ),
  ];
}

/** The name gives way first on a narrow screen, then the bar. */
function tableLine(table: CopyTableProgress, rate: number, paint: Painter, width: number): string {
  const share = fractionDone(table.bytes, table.totalBytes);
  const parts = table.parts > 1 ? `  part ${Math.min(table.partsDone + 1, table.parts)}/${table.parts}` : '';
  const facts = `${formatPercent(share).padStart(4)}  ${formatBytesOf(table.bytes, table.totalBytes).padStart(13)}  ${`${formatBytes(rate)}/s`.padStart(10)}${parts}`;
  const room = width - 4 - 2 - facts.length - 1;
  const barWidth = Math.max(5, Math.min(20, Math.floor(room / 2)));
  const nameWidth = Math.max(8, Math.min(32, room - barWidth));
  const name = padEnd(fitToWidth(printable(table.table), nameWidth, paint.ellipsis), nameWidth);
  return `    ${name} ${paint.bar(share, barWidth)}  ${facts}`;
}

const verifyLine = (verify: NonNullable<View['verify']>, paint: Painter): string =>
  `${paint.running} verify   ${verify.tablesDone}/${verify.tables} tables   ${formatCount(verify.rows)} rows   ${printable(verify.table)}`;

function footLine(view: View, { paint, walLimitBytes }: LiveBlockOptions): string {
  const { indexes, lag } = view;
  const limit = walLimitBytes === undefined ? '' : ` (limit ${formatBytes(walLimitBytes)})`;
  const parts = [
    indexes === undefined ? '' : `indexes ${indexes.done}/${indexes.total}`,
    lag === undefined
      ? ''
      : `lag ${formatBytes(lag.lagBytes)}${lag.lagMs === undefined ? '' : `, ${formatDuration(lag.lagMs)}`}`,
    lag === undefined ? '' : `WAL kept for us ${formatBytes(lag.retainedWalBytes)}${limit}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `    ${parts.join(` ${paint.dot} `)}`;
}
