import type { LaneNames, TableName } from '../domain/names.ts';
import type { BriefLockOptions } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { dropTables, publishedTables } from './publication.ts';

/**
 * Takes tables out of the lanes' publications, markers if they are meant, too. SHARE UPDATE EXCLUSIVE on each for a moment.
 * @throws {PrerequisiteError} `lock_not_available`
 */
export async function unpublishTables(
  publisher: Connection,
  lanes: readonly LaneNames[],
  isLeaving: (table: TableName) => boolean,
  options?: BriefLockOptions,
): Promise<void> {
  for (const { publication } of lanes) {
    const leaving = ((await publishedTables(publisher, publication)) ?? []).filter(isLeaving);
    if (leaving.length > 0) await dropTables(publisher, publication, leaving, options);
  }
}
