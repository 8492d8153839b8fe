/** Where the migration stands, read from the servers. Changes nothing and takes no lock. */

import { describeAddress } from '../config/server-address.ts';
import type { VerificationSummary } from '../domain/event.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import type { Phase } from '../domain/phase.ts';
import type { Connection } from '../postgres/connection.ts';
import { existingLanes } from '../postgres/lane.ts';
import { slotState } from '../postgres/replication-slot.ts';
import { subscriptionState } from '../postgres/subscription.ts';
import { isCopied, readCopyProgress } from '../state/copy-progress.ts';
import { tableExists } from '../state/install.ts';
import { readJournal } from '../state/journal.ts';
import type { Session } from './session.ts';

export interface LinkStatus {
  readonly from: Side;
  readonly to: Side;
  readonly lanes: readonly {
    readonly subscription: string;
    readonly isEnabled: boolean;
    readonly isRunning: boolean;
    readonly applyErrors: number | undefined;
    readonly lagBytes: number;
    readonly retainedWalBytes: number;
  }[];
}

export interface MigrationStatus {
  readonly migration: string;
  readonly phase: Phase;
  readonly activeSide: Side;
  readonly epoch: number;
  readonly source: { readonly version: string; readonly where: string };
  readonly target: { readonly version: string; readonly where: string };
  /** The link that runs, or should. */
  readonly link: LinkStatus | undefined;
  readonly copy:
    | { readonly tables: number; readonly tablesDone: number; readonly rows: number; readonly bytes: number }
    | undefined;
  readonly verified:
    | {
        readonly at: string;
        readonly mode: VerificationSummary['mode'];
        readonly equal: boolean;
        readonly tables: number;
      }
    | undefined;
  readonly traffic: { readonly description: string; readonly activeSide?: Side; readonly problem?: string };
  /** A switchover was interrupted; the next command finishes or undoes it. */
  readonly isSwitchoverOpen: boolean;
  readonly next: string;
}

const NEXT: Readonly<Record<Phase, string>> = {
  new: 'pgglide check, then pgglide sync',
  syncing: 'pgglide sync',
  following: 'pgglide verify, then pgglide cutover',
  switched: 'pgglide complete, or pgglide rollback',
  completed: 'nothing: the migration is complete',
  aborted: 'pgglide sync begins anew',
};

export async function status(session: Session): Promise<MigrationStatus> {
  const row = await session.row();
  const phase = row?.phase ?? 'new';
  const activeSide = row?.activeSide ?? 'source';
  const isLinked = phase === 'following' || phase === 'switched' || phase === 'syncing';
  return {
    migration: session.migration,
    phase,
    activeSide,
    epoch: row?.epoch ?? 0,
    source: { version: session.identities.source.version, where: describeAddress(session.settings.source) },
    target: { version: session.identities.target.version, where: describeAddress(session.settings.target) },
    link: isLinked ? await linkStatus(session, activeSide) : undefined,
    copy: row?.plan === undefined ? undefined : await copyStatus(session, row.plan.tables.length),
    verified: await lastVerification(session),
    traffic: await trafficStatus(session),
    isSwitchoverOpen: row?.switchover !== undefined,
    next:
      row?.switchover === undefined
        ? NEXT[phase]
        : `pgglide ${row.switchover.direction} (it was interrupted)`,
  };
}

async function linkStatus(session: Session, from: Side): Promise<LinkStatus> {
  const to = otherSide(from);
  const publisher = session.side(from);
  const lanes = await existingLanes(publisher, session.migration, linkFrom(from));
  const states = lanes.map(async (lane) => {
    const [subscription, slot] = await Promise.all([
      subscriptionState(session.side(to), lane.subscription),
      slotState(publisher, lane.slot),
    ]);
    return {
      subscription: lane.subscription,
      isEnabled: subscription?.isEnabled ?? false,
      isRunning: subscription?.isRunning ?? false,
      applyErrors: subscription?.applyErrors,
      lagBytes: slot?.lagBytes ?? 0,
      retainedWalBytes: slot?.retainedBytes ?? 0,
    };
  });
  return { from, to, lanes: await Promise.all(states) };
}

async function copyStatus({ target, migration }: Session, tables: number): Promise<MigrationStatus['copy']> {
  const progress = (await hasProgress(target)) ? await readCopyProgress(target, migration) : [];
  return {
    tables,
    tablesDone: progress.filter(isCopied).length,
    rows: progress.reduce((sum, table) => sum + table.rowCount, 0),
    bytes: progress.reduce((sum, table) => sum + table.bytes, 0),
  };
}

const hasProgress = (target: Connection): Promise<boolean> => tableExists(target, 'copy_table');

async function lastVerification({ target, migration }: Session): Promise<MigrationStatus['verified']> {
  const journal = await readJournal(target, migration);
  const last = journal
    .map((entry) => entry.event)
    .findLast((event) => event.type === 'verification-finished');
  if (last === undefined) return undefined;
  return { at: last.at, mode: last.data.mode, equal: last.data.equal, tables: last.data.tables.length };
}

/** A traffic switch that cannot be reached is a fact to show, not a reason to show nothing. */
async function trafficStatus(session: Session): Promise<MigrationStatus['traffic']> {
  try {
    await using traffic = session.openTraffic();
    const state = await traffic.observe();
    return { description: state.description, activeSide: state.activeSide };
  } catch (error) {
    return { description: 'traffic switch', problem: error instanceof Error ? error.message : String(error) };
  }
}
