/** A step makes one thing true and can be run again at any time. */

import type { Settings } from '../config/settings.ts';
import type { Side } from '../domain/names.ts';
import type { Plan } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import type { Sql } from '../postgres/sql.ts';
import type { EventSink } from './event-stream.ts';

/** Read-only for steps: who we are, the two servers, and the plan. */
export interface StepContext {
  readonly migration: string;
  readonly source: Connection;
  readonly target: Connection;
  readonly settings: Settings;
  /** How the other server reaches this one: the text of CREATE SUBSCRIPTION ... CONNECTION. Secret. */
  readonly linkConninfo: Readonly<Record<Side, string>>;
  readonly plan: Plan;
  readonly events: EventSink;
  readonly signal: AbortSignal;
  /** One more session; the caller closes it. */
  open(side: Side, purpose: string): Promise<Connection>;
}

/** What `plan` prints and the run executes. */
export type Action =
  | {
      readonly on: Side;
      readonly statement: Sql;
      /** See BriefLockOptions. */
      readonly outwaitsVacuum?: true;
    }
  | { readonly on: Side | 'both' | 'traffic'; readonly does: string; run(): Promise<void> };

export interface Observation<Facts> {
  readonly satisfied: boolean;
  readonly facts: Facts;
  /** Shown while there is nothing to do but wait. */
  readonly waitingFor?: string;
}

export interface Step<Facts, Context extends StepContext = StepContext> {
  readonly id: string;
  readonly title: string;
  /** Gives up after this long without becoming satisfied, ms. Undefined: as long as it makes its own progress. */
  readonly deadlineMs?: number;
  /** Its actions read all that observe() would, and fail unless it is so: nothing is read again after them. */
  readonly isProvenByActing?: true;
  /** For `plan`: what it will do, one line each, known before anything exists. Pure. */
  describe(context: Pick<Context, 'plan' | 'migration' | 'settings'>): readonly string[];
  /** Reads only, looks at the servers: safe at any time, by anyone. */
  observe(context: Context): Promise<Observation<Facts>>;
  /** Pure. Empty: nothing to do but wait. */
  actions(context: Context, facts: Facts): readonly Action[];
}
