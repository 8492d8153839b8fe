/** Signs and colours: what a terminal can show, or plain ASCII without either. Pure. */

import pc from 'picocolors';

export interface Style {
  readonly color: boolean;
  readonly ascii: boolean;
}

export interface Painter {
  readonly ok: string;
  readonly failed: string;
  readonly warning: string;
  readonly note: string;
  readonly running: string;
  readonly waiting: string;
  readonly arrow: string;
  readonly ellipsis: string;
  readonly dot: string;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  /** `width` cells, `fraction` of them filled. */
  bar(fraction: number, width: number): string;
}

const SIGNS = {
  unicode: {
    ok: '✔',
    failed: '✖',
    warning: '▲',
    note: '·',
    running: '▶',
    waiting: '○',
    full: '█',
    empty: '░',
  },
  ascii: { ok: '+', failed: 'x', warning: '!', note: '-', running: '>', waiting: '.', full: '#', empty: '.' },
} as const;

export function painter(style: Style): Painter {
  const colors = pc.createColors(style.color);
  const signs = style.ascii ? SIGNS.ascii : SIGNS.unicode;
  return {
    ok: colors.green(signs.ok),
    failed: colors.red(signs.failed),
    warning: colors.yellow(signs.warning),
    note: colors.dim(signs.note),
    running: colors.cyan(signs.running),
    waiting: colors.dim(signs.waiting),
    arrow: style.ascii ? '->' : '→',
    ellipsis: style.ascii ? '...' : '…',
    dot: style.ascii ? '-' : '·',
    bold: colors.bold,
    dim: colors.dim,
    red: colors.red,
    green: colors.green,
    yellow: colors.yellow,
    bar: (fraction, width) => {
      const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
      return signs.full.repeat(full) + signs.empty.repeat(width - full);
    },
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
const ESCAPE_SEQUENCE = /\x1b\[[0-9;]*m/g;

/** Cells on the screen: colours take none. */
export const visibleWidth = (text: string): number => [...text.replace(ESCAPE_SEQUENCE, '')].length;

/** Cut to the screen's width; a cut line loses its colours, which might never be closed otherwise. */
export function fitToWidth(text: string, width: number, ellipsis: string): string {
  if (visibleWidth(text) <= width) return text;
  const cells = [...text.replace(ESCAPE_SEQUENCE, '')];
  return cells.slice(0, Math.max(0, width - ellipsis.length)).join('') + ellipsis;
}

export const padEnd = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - visibleWidth(text)));
