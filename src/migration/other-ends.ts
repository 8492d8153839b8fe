/**
 * A configuration that was changed between two commands: the target does not know the migration, but the source does. Going
 * on as if nothing had begun would take the running migration's link for a left-over, or copy over the application's data.
 */

import { PrerequisiteError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { hasDatabaseOid } from '../postgres/databases.ts';
import { countRaisedFences } from '../postgres/fence.ts';
import { type NotedTarget, notedTargets } from '../postgres/lane-target.ts';
import type { ServerIdentity } from '../postgres/server-identity.ts';
import { ident, literal } from '../postgres/sql.ts';
import { readMigration } from '../state/migration-row.ts';

interface Ends {
  readonly migration: string;
  readonly source: Connection;
  readonly target: Connection;
  readonly identities: Readonly<Record<Side, ServerIdentity>>;
}

/**
 * For a target that holds no row of the migration.
 * @throws {PrerequisiteError} `sides_swapped`, `other_target`, `record_lost`
 */
export async function requireNotElsewhere({ migration, source, target, identities }: Ends): Promise<void> {
  const here = await readMigration(source, migration);
  // A database that an upgrade has ended in may be the source of the next, back to where it came from too.
  if (
    here !== undefined &&
    here.phase !== 'completed' &&
    here.sourceSystemIdentifier === identities.target.systemIdentifier &&
    here.targetSystemIdentifier === identities.source.systemIdentifier
  )
    throw sidesSwapped(migration);
  for (const noted of await notedTargets(source, migration)) {
    if (await isElsewhere(noted, identities.target, target)) throw otherTarget(migration, noted);
    // Else sync begins anew, once the target is empty.
    const isHere = noted.systemIdentifier === identities.target.systemIdentifier;
    if (isHere && (await countRaisedFences(source)) > 0) throw recordLost(migration);
  }
}

/** A database that was dropped and made anew on the same server was this target: its link is a left-over. */
async function isElsewhere(
  { systemIdentifier: noted }: NotedTarget,
  { systemIdentifier, cluster }: ServerIdentity,
  target: Connection,
): Promise<boolean> {
  if (noted === systemIdentifier) return false;
  const [notedCluster, oid = ''] = noted.split('/');
  return notedCluster !== cluster || hasDatabaseOid(target, oid);
}

const sidesSwapped = (migration: string): PrerequisiteError =>
  new PrerequisiteError(
    'sides_swapped',
    `Migration "${migration}" goes the other way: what is configured as the source is its target, and the other way round`,
    {
      hint: 'Exchange source and target in the configuration. They keep their roles for the whole migration.',
    },
  );

function otherTarget(migration: string, { link }: NotedTarget): PrerequisiteError {
  const drop = `SELECT pg_drop_replication_slot(${literal(link).text}); DROP PUBLICATION ${ident(link).text};`;
  return new PrerequisiteError(
    'other_target',
    `Migration "${migration}" of this source was begun into another target than this one, and its link is there`,
    {
      hint: `Name that target again, to go on or to pgglide abort it. If it is gone for good, on the source: ${drop} then run the same command again.`,
      facts: { link },
    },
  );
}

/** What the preflight would say of such a source and such a target leads to the loss of the newest rows. */
const recordLost = (migration: string): PrerequisiteError =>
  new PrerequisiteError(
    'record_lost',
    `The target has no record of migration "${migration}" any more, and the source is fenced: the target had taken over`,
    {
      hint: 'Its schema pgglide was dropped, or it was restored from before the migration: then restore it to its last moment. If only the schema was dropped, the target has all rows and goes on as it is: leave the fence on the source, let the application connect to the target, and drop what is named pgglide_* on the target and the source. There is no way back.',
    },
  );
