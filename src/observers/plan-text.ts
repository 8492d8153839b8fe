/** What a command would do, statement by statement. Pure. */

import { printable } from './printable.ts';
import { painter, type Style } from './style.ts';

export interface PlanLine {
  /** "source", "target", "traffic", "copy" */
  readonly on: string;
  readonly statement: string;
}

export interface PlanSection {
  readonly title: string;
  readonly lines: readonly PlanLine[];
}

export interface PlanText {
  readonly sections: readonly PlanSection[];
}

export function planText(plan: PlanText, style: Style): string {
  const paint = painter(style);
  const all = plan.sections.flatMap(({ lines }) => lines);
  const width = all.reduce((widest, { on }) => Math.max(widest, on.length), 0);
  const sections = plan.sections.map(({ title, lines }) =>
    [
      paint.bold(printable(title)),
      ...(lines.length === 0
        ? [paint.dim('  nothing to do')]
        : lines.flatMap((line) => statementLines(line, width, paint.dim))),
    ].join('\n'),
  );
  return sections.join('\n\n');
}

/** A statement of several lines stays readable: only its first says where it runs. */
function statementLines({ on, statement }: PlanLine, width: number, dim: (text: string) => string): string[] {
  return statement
    .trim()
    .split('\n')
    .map((line, index) => `  ${dim((index === 0 ? on : '').padEnd(width))}   ${printable(line)}`);
}
