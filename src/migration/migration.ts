/** A migration as the command line, the library and the dashboard see it: one method a command. */

import type { Settings } from '../config/settings.ts';
import type { JournalEntry, MigrationEvent } from '../domain/event.ts';
import type { Finding } from '../domain/finding.ts';
import type { Side } from '../domain/names.ts';
import type { Command } from '../domain/phase.ts';
import type { Listen } from '../engine/event-stream.ts';
import type { PlanText } from '../observers/plan-text.ts';
import type { ReportData } from '../observers/report.ts';
import type { MigrationStatus, SchemaChangeOf } from '../observers/status.ts';
import type { TableState } from '../observers/table-state.ts';
import type { ServerIdentity } from '../postgres/server-identity.ts';
import { readEvents, readJournal } from '../state/journal.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import type { Tuning, TuningChange } from '../state/tuning.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import type { Verification } from '../verify/verification.ts';
import { blamingEventTriggers } from './blame-event-trigger.ts';
import { check } from './check.ts';
import { type DryRun, dryRun } from './dry-run.ts';
import { type AbortResult, abort, type CompleteOptions, type CompleteResult, complete } from './finish.ts';
import { plan } from './plan.ts';
import { type ConfirmRepair, type RepairOptions, type RepairOutcome, repair } from './repair.ts';
import { report } from './report.ts';
import { type BeforeSwitch, mayRun, Session } from './session.ts';
import { type StatusOptions, status } from './status.ts';
import { runSwitch, type SwitchOptions, type SwitchResult } from './switch.ts';
import { type SyncOptions, sync } from './sync.ts';
import { tables } from './tables.ts';
import { tellSchemaChanges } from './tell-schema-changes.ts';
import { tune } from './tune.ts';
import { verify } from './verify.ts';

export interface MigrationOptions {
  /** Every event as it happens, samples included. Must not throw. */
  readonly emit?: Listen;
  /** Aborted: the command stops at the next safe point and throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Awaited before anything of a switch is done, once the migration's phase allows it; what it throws refuses the switch. */
  readonly beforeSwitch?: BeforeSwitch;
  /** A traffic switch of your own instead of the one that the settings name. */
  readonly openTraffic?: () => TrafficSwitch;
}

/**
 * Connects to both servers and changes nothing.
 * @throws {UnreachableError} `server_unreachable`, `login_failed`, `database_missing`
 */
export async function openMigration(settings: Settings, options: MigrationOptions = {}): Promise<Migration> {
  const session = await Session.open(settings, {
    openTraffic: options.openTraffic,
    beforeSwitch: options.beforeSwitch,
    listen: options.emit ?? (() => undefined),
    signal: options.signal ?? new AbortController().signal,
  });
  return new Migration(session);
}

export class Migration implements AsyncDisposable {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  get servers(): Readonly<Record<Side, ServerIdentity>> {
    return this.#session.identities;
  }

  /** Undefined before the first sync. */
  row(): Promise<MigrationRow | undefined> {
    return this.#session.row();
  }

  /**
   * Before a user is asked for a confirmation. What a switch that was interrupted ends in, the command itself finds out.
   * @throws {RefusedError} `wrong_phase`
   */
  async assertMayRun(command: Command): Promise<void> {
    const row = await this.#session.row();
    if (row?.switchover === undefined) mayRun(command, row?.phase ?? 'new');
  }

  check(): Promise<Finding[]> {
    return check(this.#session);
  }

  async plan(): Promise<PlanText> {
    return { sections: await plan(this.#session) };
  }

  sync(options: SyncOptions = {}): Promise<void> {
    return this.#changing(sync(this.#session, options));
  }

  status(options: StatusOptions = {}): Promise<MigrationStatus> {
    return status(this.#session, options);
  }

  /** Writes each into the journal that does not stand there yet. */
  tellSchemaChanges(changes: readonly SchemaChangeOf[]): Promise<void> {
    return tellSchemaChanges(this.#session, changes);
  }

  /** Every table of the plan with how far it is. */
  tables(): Promise<TableState[]> {
    return tables(this.#session);
  }

  verify(): Promise<Verification> {
    return verify(this.#session);
  }

  /** Makes the differing rows of one table on the side that follows what they are on the active one, and verifies all again. */
  repair(table: string, confirm?: ConfirmRepair, options?: RepairOptions): Promise<RepairOutcome> {
    return this.#changing(repair(this.#session, table, confirm, options));
  }

  rehearse(): Promise<SwitchResult> {
    return this.#changing(runSwitch(this.#session, 'rehearsal'));
  }

  /** With `dryRun`: what it would do and whether its guards would let it; nothing is done. */
  cutover(options: SwitchOptions & { readonly dryRun: true }): Promise<DryRun>;
  cutover(options?: SwitchOptions & { readonly dryRun?: false }): Promise<SwitchResult>;
  cutover(options?: SwitchOptions & { readonly dryRun?: boolean }): Promise<SwitchResult | DryRun>;
  cutover(options: SwitchOptions & { readonly dryRun?: boolean } = {}): Promise<SwitchResult | DryRun> {
    return options.dryRun
      ? dryRun(this.#session, 'cutover', options)
      : this.#changing(runSwitch(this.#session, 'cutover', options));
  }

  rollback(options: SwitchOptions & { readonly dryRun: true }): Promise<DryRun>;
  rollback(options?: SwitchOptions & { readonly dryRun?: false }): Promise<SwitchResult>;
  rollback(options?: SwitchOptions & { readonly dryRun?: boolean }): Promise<SwitchResult | DryRun>;
  rollback(options: SwitchOptions & { readonly dryRun?: boolean } = {}): Promise<SwitchResult | DryRun> {
    return options.dryRun
      ? dryRun(this.#session, 'rollback', options)
      : this.#changing(runSwitch(this.#session, 'rollback', options));
  }

  complete(options: CompleteOptions): Promise<CompleteResult> {
    return this.#changing(complete(this.#session, options));
  }

  abort(): Promise<AbortResult> {
    return this.#changing(abort(this.#session));
  }

  /** Changes a sync that runs elsewhere, and later ones; resolves to all that is turned now. */
  tune(change: TuningChange): Promise<Tuning> {
    return tune(this.#session, change);
  }

  /** What happened, oldest first. */
  events(): Promise<MigrationEvent[]> {
    return readEvents(this.#session.target, this.#session.migration);
  }

  /** What happened after an entry that is known already, oldest first. */
  journalAfter(id: number): Promise<JournalEntry[]> {
    return readJournal(this.#session.target, this.#session.migration, id);
  }

  report(): Promise<ReportData> {
    return report(this.#session);
  }

  /** Commands that run DDL of ours. */
  #changing<T>(command: Promise<T>): Promise<T> {
    return blamingEventTriggers(this.#session, command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
