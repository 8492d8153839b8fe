/**
 * Keeps the slots of the active side from filling its disk while nobody syncs (then `wal-governor.ts` does): the forward
 * link's before the switch, the return link's after it. For `sync --follow`, which stays for days.
 */

import { sleep } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import type { Settings } from '../config/settings.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import { walLimitBytes } from '../domain/wal-budget.ts';
import { eventNow, type Listen } from '../engine/event-stream.ts';
import { formatBytes } from '../observers/quantity.ts';
import { Connection } from '../postgres/connection.ts';
import { dropUsedSlot, giveUpSlot, slotNotDropped } from '../postgres/give-up-slot.ts';
import { LooseSession } from '../postgres/loose-session.ts';
import type { SlotState } from '../postgres/replication-slot.ts';
import { SlotWatch, slotsToDrop, type WatchedSlot } from '../postgres/slot-watch.ts';
import { ownSubscriptions, tableSyncSlots } from '../postgres/table-sync-slot.ts';
import { appendEvent } from '../state/journal.ts';
import { isCommitted, type MigrationRow, readMigration } from '../state/migration-row.ts';
import { readMaxWalRetainedBytes } from '../state/tuning.ts';
import { settingsOf } from './session.ts';

const POLL_MS = 2_000;

export interface WalGuardOptions {
  readonly emit: Listen;
  /** How long a subscriber may make no progress at the limit. */
  readonly windowMs?: number;
}

/** Runs beside `work`, in sessions of its own. Never rejects, and needs the one server only whose disk it guards. */
export async function withWalGuard<T>(
  settings: Settings,
  options: WalGuardOptions,
  work: () => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const guarding = new WalGuard(settings, options).run(stop.signal);
  try {
    return await work();
  } finally {
    stop.abort();
    await guarding;
  }
}

interface Database {
  readonly migration: string;
  readonly sessions: Readonly<Record<Side, LooseSession>>;
  readonly watches: Readonly<Record<Side, SlotWatch>>;
  /** Oids by which PostgreSQL names slots; as last heard, for then the subscriber may be gone. */
  subscriptions: readonly number[];
}

class WalGuard {
  readonly #settings: Settings;
  readonly #options: WalGuardOptions;
  /** The lead's first; the others' are known by its plan. */
  readonly #databases: Database[];
  /** As last read: the source is guarded also while the target does not answer. */
  #row: MigrationRow | undefined;
  #maxRetainedBytes: number;

  constructor(settings: Settings, options: WalGuardOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#databases = [databaseOf(settings, options)];
    this.#maxRetainedBytes = settings.throttle.maxWalRetainedBytes;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.#readRow().catch(() => undefined);
      const side = this.#guardedSide;
      if (side !== undefined)
        for (const database of this.#databases) {
          await this.#guard(database, side).catch(() => undefined);
          await this.#guardTableCopies(database, side).catch(() => undefined);
        }
      await sleep(POLL_MS, stop).catch(() => undefined);
    }
    for (const { sessions } of this.#databases)
      for (const session of [sessions.source, sessions.target]) await session[Symbol.asyncDispose]();
  }

  /**
   * While a copy runs its own governor is at work; behind the commit point of a switch, which link is to run is not settled. Before it
   * the active side's runs as ever: a switch may break off there, and its target be gone.
   */
  get #guardedSide(): Side | undefined {
    if (this.#row === undefined || isCommitted(this.#row)) return undefined;
    return ['following', 'switched'].includes(this.#row.phase) ? this.#row.activeSide : undefined;
  }

  async #readRow(): Promise<void> {
    const { migration, throttle } = this.#settings;
    const [row, maxRetainedBytes] = await this.#lead.sessions.target.ask(async (target) => [
      await readMigration(target, migration),
      await readMaxWalRetainedBytes(target, migration, throttle),
    ]);
    this.#row = row;
    this.#maxRetainedBytes = maxRetainedBytes;
    for (const name of row?.plan?.otherDatabases ?? []) {
      const settings = settingsOf(this.#settings, name);
      if (!this.#databases.some((known) => known.migration === settings.migration))
        this.#databases.push(databaseOf(settings, this.#options));
    }
  }

  get #lead(): Database {
    const [lead] = this.#databases;
    if (lead === undefined) throw new Error('There is always a lead database');
    return lead;
  }

  async #guard({ sessions, watches }: Database, side: Side): Promise<void> {
    const maxRetainedBytes = this.#maxRetainedBytes;
    const watched = await sessions[side].ask((publisher) =>
      watches[side].look(publisher, maxRetainedBytes, () => true),
    );
    // A lost one keeps nothing any more; "pgglide status" tells of it.
    for (const { lane, slot } of slotsToDrop(watched.filter(isKept))) {
      await this.#giveUp(slot, side, GIVEN_UP[side], () =>
        giveUpSlot(sessions[side], sessions[otherSide(side)], lane),
      );
    }
  }

  /** Slots that our subscriptions have made for the tables that join the way back. */
  async #guardTableCopies(database: Database, side: Side): Promise<void> {
    const { sessions, watches, migration } = database;
    const subscriber = await sessions[otherSide(side)]
      .ask((connection) => ownSubscriptions(connection, migration))
      .catch(() => undefined);
    if (subscriber !== undefined) database.subscriptions = subscriber;
    const identifier = this.#row?.[side === 'target' ? 'sourceSystemIdentifier' : 'targetSystemIdentifier'];
    if (identifier === undefined) return;
    const toDrop = await sessions[side].ask(async (publisher) =>
      watches[side].tableCopiesToDrop(
        publisher,
        this.#maxRetainedBytes,
        await tableSyncSlots(publisher, identifier, database.subscriptions),
      ),
    );
    for (const slot of toDrop.filter(({ walStatus }) => walStatus !== 'lost'))
      await this.#giveUp(slot, side, COPY_GIVEN_UP, () => dropUsedSlot(sessions[side], slot.name));
  }

  async #giveUp(slot: SlotState, side: Side, told: Told, drop: () => Promise<void>): Promise<void> {
    try {
      await drop();
      const kept = `Slot ${slot.name} kept ${formatBytes(slot.retainedBytes)} of WAL on the ${side}, the limit is ${formatBytes(walLimitBytes(slot, this.#maxRetainedBytes))}, and the ${otherSide(side)} takes nothing over`;
      await this.#tell({ ...told, message: `${kept}: ${told.message}` });
    } catch (cause) {
      await this.#tell(slotNotDropped(slot, side, cause));
    }
  }

  async #tell(data: Told): Promise<void> {
    const event = eventNow('warning', data);
    this.#options.emit(event);
    await this.#lead.sessions.target
      .ask((target) => appendEvent(target, this.#settings.migration, event))
      .catch(() => undefined);
  }
}

interface Told {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

const isKept = ({ slot }: WatchedSlot): boolean => slot.walStatus !== 'lost';

/** By the side whose disk would have filled up. */
const GIVEN_UP = {
  source: {
    code: 'wal_limit_reached',
    message: 'it was dropped, so that the disk there does not fill up. What was copied is stale',
    hint: 'The next pgglide sync copies anew; the source is not touched by this. Raise throttle.maxWalRetained where there is room.',
  },
  target: {
    code: 'way_back_given_up',
    message:
      'IT WAS DROPPED, so that the disk of the active side does not fill up. THERE IS NO WAY BACK ANY MORE: a rollback would lose writes and is refused',
    hint: 'Traffic is not touched by this. pgglide complete ends the migration.',
  },
} as const;

const COPY_GIVEN_UP: Told = {
  code: 'table_copy_given_up',
  message: 'it was dropped, so that the disk there does not fill up. A table is not in the way back yet',
  hint: 'Traffic is not touched by this. PostgreSQL begins the copy of that table anew; pgglide sync waits for it, and tells if it cannot. Raise throttle.maxWalRetained where there is room.',
};

function databaseOf(settings: Settings, { windowMs }: WalGuardOptions): Database {
  const { migration } = settings;
  const session = (address: ServerAddress) =>
    new LooseSession(() => Connection.open(address, { purpose: 'wal guard' }));
  const watch = (side: Side) => new SlotWatch(migration, linkFrom(side), windowMs);
  return {
    migration,
    sessions: { source: session(settings.source), target: session(settings.target) },
    watches: { source: watch('source'), target: watch('target') },
    subscriptions: [],
  };
}
