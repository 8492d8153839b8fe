/** The preflight: what would stop a migration, and the SQL that mends it. Reads only. */

import type { Finding } from '../domain/finding.ts';
import { preflight } from '../domain/preflight/preflight.ts';
import { inspectServers } from '../postgres/inspection/inspect.ts';
import type { Session } from './session.ts';

export async function check(session: Session): Promise<Finding[]> {
  const { source, target, migration, settings } = session;
  const facts = await inspectServers({ source, target, migration, scope: settings.scope });
  return preflight(facts);
}
