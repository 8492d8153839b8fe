/** What a round tells the tool, and what it may answer. */

export type Command = 'sync' | 'abort' | 'complete' | 'cutover' | 'rollback';

export const withYes = (command: string): string[] =>
  command === 'abort' || command === 'complete' ? [command, '--yes'] : [command];

/** Unexpected, or rows that differ. DDL that has been run on one side only yet is told as a difference, too. */
export const isFault = (exitCode: number | undefined, stderr: string): boolean =>
  exitCode === 1 || (exitCode === 5 && !stderr.includes('"schema_differs"'));
