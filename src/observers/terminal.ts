/** A terminal: what is final scrolls up, what moves is drawn again below it. */

import type { MigrationEvent } from '../domain/event.ts';
import { progressLines } from './event-line.ts';
import { type LiveBlockOptions, liveBlock } from './live-block.ts';
import type { Observer, Sink } from './observer.ts';
import { painter, type Style } from './style.ts';
import { EMPTY_VIEW, foldView } from './view.ts';

const REDRAW_MS = 100;
const TICK_MS = 1000;
const NARROW = 80;
const SHORT = 24;
const CLEAR_BELOW = '\x1b[J';

interface Terminal extends Sink {
  readonly columns?: number;
  readonly rows?: number;
}

export interface TerminalOptions extends Pick<LiveBlockOptions, 'migration' | 'walLimitBytes'> {
  readonly style: Style;
}

export function terminalObserver(terminal: Terminal, options: TerminalOptions): Observer {
  const paint = painter(options.style);
  let view = EMPTY_VIEW;
  let drawn = 0;
  let isShown = false;
  let pending: NodeJS.Timeout | undefined;

  const draw = (finalLines: readonly string[], block: readonly string[]) => {
    const up = drawn > 0 ? `\x1b[${drawn}A\r` : '';
    const lines = [...finalLines, ...block].map((line) => `${line}\n`).join('');
    terminal.write(`${up}${CLEAR_BELOW}${lines}`);
    drawn = block.length;
  };
  const block = () =>
    liveBlock(view, {
      ...options,
      paint,
      nowMs: Date.now(),
      // One column less: a full last column makes some terminals wrap. A terminal that does not know its size says 0.
      width: Math.max(20, (terminal.columns || NARROW) - 1),
      height: terminal.rows || SHORT,
    });
  const redrawSoon = () => {
    if (!isShown) return;
    pending ??= setTimeout(() => {
      pending = undefined;
      if (isShown) draw([], block());
    }, REDRAW_MS).unref();
  };
  const clear = () => {
    isShown = false;
    if (drawn > 0) draw([], []);
  };
  const tick = setInterval(redrawSoon, TICK_MS).unref();

  return {
    onEvent: (event: MigrationEvent) => {
      const lines = progressLines(event, view, paint);
      view = foldView(view, event);
      isShown = true;
      if (lines.length > 0) draw(lines, block());
      else redrawSoon();
    },
    clear,
    close: () => {
      clearInterval(tick);
      clearTimeout(pending);
      clear();
    },
  };
}
