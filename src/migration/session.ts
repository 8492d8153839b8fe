/**
 * What every command of a migration works with: both servers, the row, the event stream. Where several databases move
 * together each has a session of this kind; the lead's holds the truth (phase, active side, epoch, journal, runner's lock).
 */

import { subscriptionConninfo } from '../config/conninfo.ts';
import { describeAll, type ServerAddress } from '../config/server-address.ts';
import type { Settings } from '../config/settings.ts';
import { PrerequisiteError, RefusedError, UnreachableError } from '../domain/errors.ts';
import type { SwitchoverDirection, SwitchoverSummary } from '../domain/event.ts';
import { memberName, type Side } from '../domain/names.ts';
import { type Command, type Phase, TRANSITIONS } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import { type EventSink, EventStream, eventNow, type Listen } from '../engine/event-stream.ts';
import type { StepContext } from '../engine/step.ts';
import { Connection } from '../postgres/connection.ts';
import { allDatabases, createLikeThisText } from '../postgres/databases.ts';
import { type ServerIdentity, serverIdentity } from '../postgres/server-identity.ts';
import { requireReadable, tableExists } from '../state/install.ts';
import { appendEvent } from '../state/journal.ts';
import { changePhase, endSwitchover, type MigrationRow, readMigration } from '../state/migration-row.ts';
import { openPlacement, openTraffic } from '../traffic/open-traffic.ts';
import type { TrafficPlacement } from '../traffic/traffic-placement.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import { DriftWatch } from './drift-watch.ts';
import { forkPauseKeeper } from './fork-pause-keeper.ts';
import { requireNotElsewhere } from './other-ends.ts';
import { withSurvivor } from './survivor.ts';

const EMPTY_PLAN: Plan = { tables: [], sequences: [], notCarried: [] };

export interface SessionOptions {
  /** Undefined: the one that the settings name. */
  readonly openTraffic: (() => TrafficSwitch) | undefined;
  readonly listen: Listen;
  readonly signal: AbortSignal;
  /** Undefined: nobody is asked. */
  readonly beforeSwitch?: BeforeSwitch | undefined;
}

/** Asked before anything of a switch is done; what it throws refuses the switch. */
export type BeforeSwitch = (direction: SwitchoverDirection, activeSide: Side) => Promise<void>;

export class Session implements AsyncDisposable {
  readonly settings: Settings;
  readonly source: Connection;
  readonly target: Connection;
  readonly identities: Readonly<Record<Side, ServerIdentity>>;
  readonly events: EventStream;
  readonly signal: AbortSignal;
  readonly lead: Session;
  readonly drift: DriftWatch;
  readonly beforeSwitch: BeforeSwitch | undefined;
  readonly #listen: Listen;
  readonly #openTraffic: (() => TrafficSwitch) | undefined;
  /** The lead's list, shared by all. */
  readonly #databases: Session[];

  private constructor(parts: {
    settings: Settings;
    source: Connection;
    target: Connection;
    identities: Readonly<Record<Side, ServerIdentity>>;
    options: SessionOptions;
    lead?: Session;
  }) {
    this.settings = parts.settings;
    this.source = parts.source;
    this.target = parts.target;
    this.identities = parts.identities;
    this.signal = parts.options.signal;
    this.beforeSwitch = parts.options.beforeSwitch;
    this.lead = parts.lead ?? this;
    this.#listen = parts.options.listen;
    this.#openTraffic = parts.options.openTraffic;
    this.#databases = parts.lead === undefined ? [] : parts.lead.#databases;
    this.#databases.push(this);
    this.drift = new DriftWatch(this);
    this.events = parts.lead?.events ?? new EventStream(this.#listen);
  }

  /** @throws {UnreachableError} either server cannot be reached or does not let us in, or lacks one of the databases */
  static async open(settings: Settings, options: SessionOptions): Promise<Session> {
    const [source, target] = await openBoth(settings);
    const connections = [source, target];
    try {
      await requireReadable(source, 'source');
      await requireReadable(target, 'target');
      const identities = { source: await serverIdentity(source), target: await serverIdentity(target) };
      const lead = new Session({ settings, source, target, identities, options });
      for (const name of await otherDatabases(settings, source)) {
        const own = settingsOf(settings, name);
        const [from, to] = await openBoth(own);
        connections.push(from, to);
        new Session({ settings: own, source: from, target: to, identities, options, lead });
      }
      return lead;
    } catch (error) {
      await Promise.all(connections.map((connection) => connection.close()));
      throw error;
    }
  }

  get migration(): string {
    return this.settings.migration;
  }

  /** The source's name for it; those that follow the lead have it on the target, too. */
  get database(): string {
    return this.settings.source.database;
  }

  /** One session a database that moves, the lead's first. */
  get databases(): readonly Session[] {
    return this.#databases;
  }

  /** The lead's, and only it, has others. */
  get others(): readonly Session[] {
    return this.#databases.filter((each) => each !== this.lead);
  }

  /** The lead's plan says which databases move with it: to those who read it without a configuration, too. */
  withOthers(plan: Plan): Plan {
    const others = this === this.lead ? this.others.map(({ database }) => database) : [];
    return others.length === 0 ? plan : { ...plan, otherDatabases: others };
  }

  /** "host:port/database", with all databases where several move together. */
  describe(side: Side): string {
    const others = this.others.map(({ database }) => database);
    return describeAll(this.settings[side], others);
  }

  /** "billing: " where several databases move together. */
  get prefix(): string {
    return this.#databases.length === 1 ? '' : `${this.database}: `;
  }

  /** For what happens in this one database. */
  get databaseEvents(): EventSink {
    return this.#databases.length === 1 ? this.events : this.events.of(this.database);
  }

  side(side: Side): Connection {
    return side === 'source' ? this.source : this.target;
  }

  open(side: Side, purpose: string): Promise<Connection> {
    return Connection.open(side === 'source' ? this.settings.source : this.settings.target, { purpose });
  }

  /**
   * Undefined before the first sync. Of a database that moves with the lead: the lead's word, with the database's own plan.
   * @throws {PrerequisiteError} `other_servers`: the row was written for another pair of servers;
   *   `sides_swapped`, `other_target`, `record_lost`: there is none here, but the source knows of one; `databases_left_out`: the migration has databases that the configuration does not name
   */
  async row(): Promise<MigrationRow | undefined> {
    if (this.lead !== this) {
      const row = await this.lead.row();
      return row && { ...row, plan: (await readMigration(this.target, this.migration))?.plan };
    }
    const row = await readMigration(this.target, this.migration);
    if (row === undefined) {
      await requireNotElsewhere(this);
      return undefined;
    }
    this.#assertSameServers(row);
    this.#assertNoneLeftOut(row);
    return row;
  }

  async openJournal(): Promise<void> {
    if (!(await tableExists(this.target, 'event'))) return;
    await this.events.openJournal((event) => appendEvent(this.target, this.migration, event));
  }

  /** The whole migration's. */
  async changePhase(from: Phase, to: Phase): Promise<void> {
    if (from === to) return;
    const event = eventNow('phase-changed', { from, to });
    await changePhase(this.lead.target, this.lead.migration, to, event);
    this.#listen(event);
  }

  /** A switchover that has moved traffic. */
  async endSwitchover(summary: SwitchoverSummary): Promise<void> {
    const event = eventNow('switchover-finished', summary);
    await endSwitchover(this.lead.target, this.lead.migration, event);
    this.#listen(event);
  }

  /** The caller disposes of it. */
  openTraffic(): TrafficSwitch {
    const others = this.others.map(({ database }) => database);
    const { settings, identities } = this;
    const clusters = { source: identities.source.cluster, target: identities.target.cluster };
    const forkKeeper = () => forkPauseKeeper({ settings, others });
    return this.#openTraffic?.() ?? openTraffic(settings, { others, clusters, forkKeeper });
  }

  /** Undefined where we do not put the traffic switch in its place. */
  placement(): TrafficPlacement | undefined {
    return this.#openTraffic === undefined ? openPlacement(this.settings, this.migration) : undefined;
  }

  /** For the steps. */
  context(plan: Plan = EMPTY_PLAN): StepContext {
    return {
      migration: this.migration,
      source: this.source,
      target: this.target,
      settings: this.settings,
      linkConninfo: {
        source: subscriptionConninfo(this.settings.sourceForTarget),
        target: subscriptionConninfo(this.settings.targetForSource),
      },
      plan,
      events: this.databaseEvents,
      signal: this.signal,
      open: (side, purpose) => this.open(side, purpose),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#databases.map(({ drift }) => drift[Symbol.asyncDispose]()));
    await Promise.all(this.#databases.flatMap(({ source, target }) => [source.close(), target.close()]));
  }

  #assertNoneLeftOut({ name, plan }: MigrationRow): void {
    const here = new Set(this.#databases.map(({ database }) => database));
    const leftOut = (plan?.otherDatabases ?? []).filter((database) => !here.has(database));
    if (leftOut.length === 0) return;
    throw new PrerequisiteError(
      'databases_left_out',
      `Migration "${name}" also moves ${leftOut.join(', ')}, which the configuration does not name`,
      {
        hint: `Name all of them: databases: [${[...here, ...leftOut].join(', ')}]. To move fewer, pgglide abort with all of them, then begin anew.`,
        facts: { leftOut },
      },
    );
  }

  #assertSameServers(row: MigrationRow): void {
    const { source, target } = this.identities;
    if (
      row.sourceSystemIdentifier === source.systemIdentifier &&
      row.targetSystemIdentifier === target.systemIdentifier
    )
      return;
    throw new PrerequisiteError(
      'other_servers',
      `Migration "${row.name}" was begun between other servers than these`,
      {
        hint: 'Check source and target in the configuration, or name another migration with --migration.',
        facts: { expected: [row.sourceSystemIdentifier, row.targetSystemIdentifier] },
      },
    );
  }
}

/** The servers are the same, the database is another, and so are the names of all that is made in it. */
export function settingsOf(settings: Settings, database: string): Settings {
  const { migration, source, target, sourceForTarget, targetForSource } = settings;
  return {
    ...settings,
    migration: memberName(migration, database),
    source: { ...source, database },
    target: { ...target, database },
    sourceForTarget: { ...sourceForTarget, database },
    targetForSource: { ...targetForSource, database },
    otherDatabases: [],
  };
}

async function otherDatabases(
  { otherDatabases: named }: Settings,
  source: Connection,
): Promise<readonly string[]> {
  if (named !== 'all') return named;
  const { database } = source.address;
  return (await allDatabases(source)).filter((name) => name !== database);
}

async function openBoth(settings: Settings): Promise<[Connection, Connection]> {
  const open = (address: ServerAddress) => Connection.open(address, { purpose: 'control' });
  const [source, target] = await Promise.allSettled([open(settings.source), open(settings.target)]);
  if (source.status === 'fulfilled' && target.status === 'fulfilled') return [source.value, target.value];
  try {
    const { migration } = settings;
    if (source.status === 'rejected')
      throw target.status === 'rejected'
        ? source.reason
        : await withSurvivor(source.reason, 'source', target.value, migration);
    const { reason } = target as PromiseRejectedResult;
    if (reason instanceof UnreachableError && reason.code === 'server_unreachable')
      throw await withSurvivor(reason, 'target', source.value, migration);
    throw await withRemedy(reason, source.value, settings.target.database);
  } finally {
    for (const result of [source, target]) if (result.status === 'fulfilled') await result.value.close();
  }
}

/** A database that the target lacks is its administrator's to make: here is how. */
async function withRemedy(error: unknown, source: Connection, database: string): Promise<unknown> {
  if (!(error instanceof UnreachableError) || error.code !== 'database_missing') return error;
  const statement = await createLikeThisText(source, database);
  const { message, facts } = error;
  return new UnreachableError('database_missing', message, {
    hint: `On the target: ${statement} (its owner and settings come with the sync)`,
    facts,
    cause: error,
  });
}

/**
 * The phase table's word on a command.
 * @returns whether there is anything to do
 * @throws {RefusedError} `wrong_phase`
 */
export function mayRun(command: Command, phase: Phase): boolean {
  const answer = TRANSITIONS[phase][command];
  if (answer === 'go') return true;
  if (answer === 'done') return false;
  throw new RefusedError('wrong_phase', `"${command}" is not possible while the migration is "${phase}"`, {
    hint: answer.refused,
    facts: { command, phase },
  });
}
