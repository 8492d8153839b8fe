/** What a command would do, statement by statement. Pure. */

import { painter, printable, type Style } from './style.ts';

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

const SIDE_WIDTH = 8;

export function planText(plan: PlanText, style: Style): string {
  const paint = painter(style);
  const sections = plan.sections.map(({ title, lines }) =>
    [
      paint.bold(printable(title)),
      ...(lines.length === 0
        ? [paint.dim('  nothing to do')]
        : lines.flatMap((line) => statementLines(line, paint.dim))),
    ].join('\n'),
  );
  return sections.join('\n\n');
}

/** A statement of several lines stays readable: only its first says where it runs. */
function statementLines({ on, statement }: PlanLine, dim: (text: string) => string): string[] {
  return statement
    .trim()
    .split('\n')
    .map((line, index) => `  ${dim((index === 0 ? on : '').padEnd(SIDE_WIDTH))} ${printable(line)}`);
}
