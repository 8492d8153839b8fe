/** Where the migration stands, in one or two sentences that can be read aloud. Pure. */

import { fractionDone } from '../domain/progress.ts';
import { formatPercent } from '../observers/quantity.ts';
import type { MigrationStatus } from '../observers/status.ts';

/** It changes with what matters, not with every byte: a screen reader says each change. */
export function sentence(status: MigrationStatus): string {
  return [opening(status), linkOf(status), verifiedOf(status)].filter((part) => part !== '').join(' ');
}

function opening(status: MigrationStatus): string {
  const { phase, copy, target, source } = status;
  switch (phase) {
    case 'new':
      return 'Nothing has begun yet.';
    case 'syncing':
      return copy === undefined || copy.tables === 0
        ? 'Syncing: the schema is being brought over.'
        : `Copying: ${copy.tablesDone} of ${copy.tables} tables, ${formatPercent(fractionDone(copy.bytes, copy.totalBytes))}.`;
    case 'following':
      return 'Following: the source takes the writes, the target has them a moment later.';
    case 'switched':
      return `Switched: PostgreSQL ${target.version ?? ''} serves, and ${source.version ?? 'the source'} follows it; rollback is ready.`;
    case 'completed':
      return 'Complete: the target serves alone.';
    case 'aborted':
      return 'Aborted: the source serves as before.';
  }
}

/** The lag itself stands beside the arrow: here it would be read aloud every second. */
function linkOf({ phase, link }: MigrationStatus): string {
  if (phase !== 'following' && phase !== 'switched') return '';
  if (link === undefined) return 'There is no link.';
  return link.isStreaming ? '' : 'The link does not run.';
}

function verifiedOf({ phase, verified }: MigrationStatus): string {
  if (phase !== 'following' && phase !== 'switched') return '';
  if (verified === undefined) return 'Not verified yet.';
  return verified.equal
    ? `All ${verified.tables} tables verified equal.`
    : 'The verification found differences.';
}
