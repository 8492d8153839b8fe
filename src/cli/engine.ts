/** The migration as the commands see it, and how one is opened from the flags. */

import type { Settings } from '../config/settings.ts';
import type { MigrationEvent, SwitchoverSummary, VerificationSummary } from '../domain/event.ts';
import type { Finding } from '../domain/finding.ts';
import type { PlanText } from '../observers/plan-text.ts';
import type { ReportData } from '../observers/report.ts';
import type { ShownStatus } from '../observers/status.ts';
import type { VerifyResult } from '../observers/verify-text.ts';

export interface SwitchResult {
  readonly summary: SwitchoverSummary;
  /** The exact comparison after it; undefined after a rehearsal. */
  readonly verification: VerificationSummary | undefined;
}

export interface Migration extends AsyncDisposable {
  check(): Promise<readonly Finding[]>;
  plan(): Promise<PlanText>;
  sync(): Promise<unknown>;
  status(): Promise<ShownStatus>;
  verify(): Promise<VerifyResult>;
  rehearse(): Promise<SwitchResult>;
  /** With `dryRun`: the guards and the list of what would be done. */
  cutover(options: {
    readonly dryRun: boolean;
    readonly unverified: boolean;
  }): Promise<SwitchResult | PlanText>;
  rollback(options: { readonly dryRun: boolean }): Promise<SwitchResult | PlanText>;
  complete(options: { readonly dropFence: boolean }): Promise<{ readonly fenceKept: boolean }>;
  abort(): Promise<{ readonly leftovers: readonly string[] }>;
  events(): Promise<readonly MigrationEvent[]>;
  report(): Promise<ReportData>;
}

interface OpenOptions {
  readonly emit: (event: MigrationEvent) => void;
  readonly signal: AbortSignal;
  /** Nothing is created, no lock is taken. */
  readonly readOnly: boolean;
}

/** The path is no literal, because the module comes with the engine. */
const ENGINE = '../migration/migration.ts';

export async function openMigration(settings: Settings, options: OpenOptions): Promise<Migration> {
  const engine = (await import(ENGINE)) as {
    openMigration(settings: Settings, options: OpenOptions): Promise<Migration>;
  };
  return engine.openMigration(settings, options);
}
