/** A migration as the command line, the library and the dashboard see it: one method a command. */

import type { Settings } from '../config/settings.ts';
import type { SwitchoverDirection } from '../domain/event.ts';
import type { Finding } from '../domain/finding.ts';
import type { Side } from '../domain/names.ts';
import type { Listen } from '../engine/event-stream.ts';
import type { ServerIdentity } from '../postgres/server-identity.ts';
import { type JournalEntry, readJournal } from '../state/journal.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import type { Verification } from '../verify/verification.ts';
import { check } from './check.ts';
import { type AbortResult, abort, type CompleteResult, complete } from './finish.ts';
import { type PlanSection, plan, switchPlan } from './plan.ts';
import { requireRow } from './rows.ts';
import { Session } from './session.ts';
import { type MigrationStatus, status } from './status.ts';
import { runSwitch, type SwitchOptions, type SwitchResult } from './switch.ts';
import { sync } from './sync.ts';
import { verify } from './verify.ts';

export interface MigrationOptions {
  /** Every event as it happens, samples included. Must not throw. */
  readonly emit?: Listen;
  /** Aborted: the command stops at the next safe point and throws the signal's reason. */
  readonly signal?: AbortSignal;
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

  check(): Promise<Finding[]> {
    return check(this.#session);
  }

  plan(): Promise<PlanSection[]> {
    return plan(this.#session);
  }

  sync(): Promise<void> {
    return sync(this.#session);
  }

  status(): Promise<MigrationStatus> {
    return status(this.#session);
  }

  verify(): Promise<Verification> {
    return verify(this.#session);
  }

  rehearse(): Promise<SwitchResult> {
    return runSwitch(this.#session, 'rehearsal');
  }

  cutover(options: SwitchOptions = {}): Promise<SwitchResult> {
    return runSwitch(this.#session, 'cutover', options);
  }

  rollback(): Promise<SwitchResult> {
    return runSwitch(this.#session, 'rollback');
  }

  /** What `cutover` or `rollback` would do now. */
  async dryRun(direction: Exclude<SwitchoverDirection, 'rehearsal'>): Promise<PlanSection[]> {
    const row = await requireRow(this.#session, direction);
    return switchPlan(this.#session, row.plan, row.activeSide);
  }

  complete(options: { readonly dropFence: boolean }): Promise<CompleteResult> {
    return complete(this.#session, options);
  }

  abort(): Promise<AbortResult> {
    return abort(this.#session);
  }

  /** Entries after `afterId`, oldest first. */
  events(afterId = 0): Promise<JournalEntry[]> {
    return readJournal(this.#session.target, this.#session.migration, afterId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
