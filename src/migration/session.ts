/** What every command of a migration works with: both servers, the row, the event stream. */

import { subscriptionConninfo } from '../config/conninfo.ts';
import type { ServerAddress } from '../config/server-address.ts';
import type { Settings } from '../config/settings.ts';
import { PrerequisiteError, RefusedError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { type Command, type Phase, TRANSITIONS } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import { EventStream, eventNow, type Listen } from '../engine/event-stream.ts';
import type { StepContext } from '../engine/step.ts';
import { Connection } from '../postgres/connection.ts';
import { type ServerIdentity, serverIdentity } from '../postgres/server-identity.ts';
import { tableExists } from '../state/install.ts';
import { appendEvent } from '../state/journal.ts';
import { changePhase, type MigrationRow, readMigration } from '../state/migration-row.ts';
import { openTraffic } from '../traffic/open-traffic.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';

const EMPTY_PLAN: Plan = { tables: [], sequences: [], notCarried: [] };

export interface SessionOptions {
  /** Undefined: the one that the settings name. */
  readonly openTraffic: (() => TrafficSwitch) | undefined;
  readonly listen: Listen;
  readonly signal: AbortSignal;
}

export class Session implements AsyncDisposable {
  readonly settings: Settings;
  readonly source: Connection;
  readonly target: Connection;
  readonly identities: Readonly<Record<Side, ServerIdentity>>;
  readonly events: EventStream;
  readonly signal: AbortSignal;
  readonly #listen: Listen;
  readonly #openTraffic: (() => TrafficSwitch) | undefined;

  private constructor(parts: {
    settings: Settings;
    source: Connection;
    target: Connection;
    identities: Readonly<Record<Side, ServerIdentity>>;
    options: SessionOptions;
  }) {
    this.settings = parts.settings;
    this.source = parts.source;
    this.target = parts.target;
    this.identities = parts.identities;
    this.signal = parts.options.signal;
    this.#listen = parts.options.listen;
    this.#openTraffic = parts.options.openTraffic;
    this.events = new EventStream(this.#listen);
  }

  /** @throws {UnreachableError} either server cannot be reached or does not let us in */
  static async open(settings: Settings, options: SessionOptions): Promise<Session> {
    const [source, target] = await openBoth(settings);
    try {
      const identities = { source: await serverIdentity(source), target: await serverIdentity(target) };
      return new Session({ settings, source, target, identities, options });
    } catch (error) {
      await Promise.all([source.close(), target.close()]);
      throw error;
    }
  }

  get migration(): string {
    return this.settings.migration;
  }

  side(side: Side): Connection {
    return side === 'source' ? this.source : this.target;
  }

  open(side: Side, purpose: string): Promise<Connection> {
    return Connection.open(side === 'source' ? this.settings.source : this.settings.target, { purpose });
  }

  /**
   * Undefined before the first sync.
   * @throws {PrerequisiteError} `other_servers`: the row was written for another pair of servers
   */
  async row(): Promise<MigrationRow | undefined> {
    const row = await readMigration(this.target, this.migration);
    if (row !== undefined) this.#assertSameServers(row);
    return row;
  }

  async openJournal(): Promise<void> {
    if (!(await tableExists(this.target, 'event'))) return;
    await this.events.openJournal((event) => appendEvent(this.target, this.migration, event));
  }

  async changePhase(from: Phase, to: Phase): Promise<void> {
    if (from === to) return;
    const event = eventNow('phase-changed', { from, to });
    await changePhase(this.target, this.migration, to, event);
    this.#listen(event);
  }

  /** The caller disposes of it. */
  openTraffic(): TrafficSwitch {
    return this.#openTraffic?.() ?? openTraffic(this.settings, this.migration);
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
      events: this.events,
      signal: this.signal,
      open: (side, purpose) => this.open(side, purpose),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source.close(), this.target.close()]);
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

async function openBoth(settings: Settings): Promise<[Connection, Connection]> {
  const open = (address: ServerAddress) => Connection.open(address, { purpose: 'control' });
  const [source, target] = await Promise.allSettled([open(settings.source), open(settings.target)]);
  if (source.status === 'fulfilled' && target.status === 'fulfilled') return [source.value, target.value];
  for (const result of [source, target]) if (result.status === 'fulfilled') await result.value.close();
  throw source.status === 'rejected' ? source.reason : (target as PromiseRejectedResult).reason;
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
