/** The account of a migration: its journal, and what the servers say now. */

import { createRequire } from 'node:module';
import { packagePath } from '../base/package-root.ts';
import { RefusedError } from '../domain/errors.ts';
import { buildReport, type ReportData } from '../observers/report.ts';
import { readEvents } from '../state/journal.ts';
import type { Session } from './session.ts';

/** @throws {RefusedError} `nothing_to_report` before the first sync */
export async function report(session: Session): Promise<ReportData> {
  const row = await session.row();
  if (row === undefined) {
    throw new RefusedError('nothing_to_report', `Nothing is known of migration "${session.migration}"`, {
      hint: 'It begins with: pgglide sync',
    });
  }
  const events = await readEvents(session.target, session.migration);
  const { source, target } = session.identities;
  const plans = await Promise.all(
    session.databases.map(async (database) => ({
      prefix: database.prefix,
      plan: (await database.row())?.plan,
    })),
  );
  return buildReport(events, {
    migration: row.name,
    generatedAt: new Date().toISOString(),
    pgglideVersion: packageVersion(),
    phase: row.phase,
    activeSide: row.activeSide,
    source: { version: source.version, address: session.describe('source') },
    target: { version: target.version, address: session.describe('target') },
    sequences: plans.reduce((sum, { plan }) => sum + (plan?.sequences.length ?? 0), 0),
    notCarried: plans.flatMap(({ prefix, plan }) =>
      (plan?.notCarried ?? []).map(({ object, reason }) => ({ object: prefix + object, reason })),
    ),
  });
}

const packageVersion = (): string =>
  (createRequire(import.meta.url)(packagePath('package.json')) as { version: string }).version;
