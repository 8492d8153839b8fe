/** How much of a table has been copied, from parts that are done and rows of those that run. Pure. */

export interface CopiedParts {
  readonly parts: number;
  readonly partsDone: number;
  /** Done and under way. */
  readonly rowCount: number;
  /** The planner's; zero or less where the table was never analyzed. */
  readonly rowEstimate: number;
}

/** An estimate may be too low: what still runs is never shown as done. */
const MOST_WHILE_RUNNING = 0.99;

export function copiedFraction({ parts, partsDone, rowCount, rowEstimate }: CopiedParts): number {
  if (parts === partsDone) return 1;
  const byParts = partsDone / parts;
  const byRows = rowEstimate > 0 ? rowCount / rowEstimate : 0;
  return Math.min(MOST_WHILE_RUNNING, Math.max(byParts, byRows));
}
