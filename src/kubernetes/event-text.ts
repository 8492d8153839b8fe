/** What happened in a migration, as a Kubernetes Event says it. Pure. */

import type { MigrationEvent } from '../domain/event.ts';
import { schemaChangeText } from '../domain/schema-change.ts';

export interface EventText {
  readonly type: 'Normal' | 'Warning';
  /** One word in CamelCase. */
  readonly reason: string;
  readonly message: string;
}

const MAX_REASON = 128;
const MAX_MESSAGE_BYTES = 1024;

/** Undefined: nothing that the cluster's readers wait for. */
export function eventText(event: MigrationEvent): EventText | undefined {
  const text = told(event);
  return text && { ...text, reason: text.reason.slice(0, MAX_REASON), message: cutMessage(text.message) };
}

/** The API server counts bytes; a character is left out as a whole. */
export const cutMessage = (text: string): string =>
  new TextDecoder().decode(Buffer.from(text).subarray(0, MAX_MESSAGE_BYTES), { stream: true });

const normal = (reason: string, message: string): EventText => ({ type: 'Normal', reason, message });
const warning = (reason: string, message: string): EventText => ({ type: 'Warning', reason, message });

function told(event: MigrationEvent): EventText | undefined {
  switch (event.type) {
    case 'phase-changed':
      return normal(
        camelCase(event.data.to),
        `The migration is ${event.data.to} (it was ${event.data.from})`,
      );
    case 'copy-finished': {
      const { tables, rows, seconds } = event.data;
      return normal('Copied', `${tables} tables with ${rows} rows in ${seconds} s`);
    }
    case 'verification-finished': {
      const { equal, tables } = event.data;
      const differing = tables.filter((table) => !table.equal).map(({ table }) => table);
      return equal
        ? normal('Verified', `${tables.length} tables are equal on both sides`)
        : warning('Differences', `Both sides differ: ${differing.join(', ')}`);
    }
    case 'switchover-started':
      return normal(
        `${camelCase(event.data.direction)}Started`,
        `From ${event.data.from} to ${event.data.to}`,
      );
    case 'switchover-finished': {
      const { direction, to, waits } = event.data;
      const where = direction === 'rehearsal' ? 'Traffic is where it was' : `Traffic goes to the ${to}`;
      const waited = `the longest wait was ${Math.round(waits.longestWaitMs)} ms, ${waits.failedRequests} requests failed`;
      return normal(`${camelCase(direction)}Finished`, `${where}; ${waited}`);
    }
    case 'switchover-aborted':
      return warning(
        `${camelCase(event.data.direction)}Aborted`,
        `${event.data.code}: ${event.data.message}`,
      );
    case 'step-failed':
      return warning('StepFailed', `${event.data.title}: ${event.data.code}: ${event.data.message}`);
    case 'schema-changed':
      return warning('SchemaChanged', schemaChangeText(event.data));
    case 'warning':
      return warning(camelCase(event.data.code), event.data.message);
    default:
      return undefined;
  }
}

/** "wal_near_limit" -> "WalNearLimit" */
export const camelCase = (text: string): string =>
  text
    .split(/[^a-zA-Z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');
