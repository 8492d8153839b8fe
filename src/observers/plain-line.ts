/** Progress where there is no terminal: one line, made for grep. Pure. */

import { fractionDone } from '../domain/progress.ts';
import { copyRemainingMs, stateOf } from './live-block.ts';
import { formatBytes, formatBytesOf, formatDuration, formatPercent } from './quantity.ts';
import type { View } from './view.ts';

/** "Copy: 25.7/42.1 GB 61.0%; Tables: 71/118; Idx: 0/231; Lag: 1.2GB; State: copying; ETA: 4m10s"; empty while there is nothing to tell. */
export function plainLine(view: View): string {
  const { copy, indexes, lag, verify } = view;
  const eta = view.isCopying ? copyRemainingMs(copy) : undefined;
  const parts = [
    copy === undefined
      ? []
      : [
          `Copy: ${formatBytesOf(copy.bytes, copy.totalBytes)} ${formatPercent(fractionDone(copy.bytes, copy.totalBytes), 1)}`,
          `Tables: ${copy.tablesDone}/${copy.tables}`,
        ],
    indexes === undefined ? [] : [`Idx: ${indexes.done}/${indexes.total}`],
    verify === undefined ? [] : [`Verify: ${verify.tablesDone}/${verify.tables}`],
    lag === undefined ? [] : [`Lag: ${tight(formatBytes(lag.lagBytes))}`],
  ].flat();
  if (parts.length === 0 && view.step?.waitingFor === undefined) return '';
  const waiting = view.step?.waitingFor === undefined ? [] : [`Waiting: ${view.step.waitingFor}`];
  const left = eta === undefined ? [] : [`ETA: ${tight(formatDuration(eta))}`];
  return [...parts, `State: ${stateOf(view)}`, ...waiting, ...left].join('; ');
}

const tight = (text: string): string => text.replace(' ', '');
