/** What a look at the two servers found, and the text behind each rule (`pgglide explain PGG101`). */

import type { Side } from './names.ts';

/**
 * - `ok`: looked, and nothing is wrong.
 * - `note`: good to know, nothing to do.
 * - `warning`: the migration runs, something of it will be worse than it could be.
 * - `blocker`: `sync` refuses to start; exit 3.
 */
export type Severity = 'ok' | 'note' | 'warning' | 'blocker';

/** Stable for ever: scripts and runbooks name them. */
export type RuleId = `PGG${number}`;

export interface Finding {
  readonly id: RuleId;
  readonly severity: Severity;
  /** One line: what is there and why it matters. */
  readonly title: string;
  /** Where several databases move together: the one it is about; undefined: the servers. */
  readonly database?: string;
  /** The table, role, setting ... it is about, as people write it. */
  readonly object?: string;
  /** What to know before mending it. */
  readonly detail?: string;
  /** SQL that mends it: complete, quoted, one statement a line, each to be run by itself. */
  readonly fix?: string;
  readonly fixOn?: Side;
  /** What cannot be done until it is mended. */
  readonly blocks?: string;
}

/** The manual's side of a rule. */
export interface RuleText {
  readonly id: RuleId;
  /** What is true when the rule passes. */
  readonly title: string;
  /** The worst it reports. */
  readonly severity: Exclude<Severity, 'ok'>;
  /** Why it matters and what to do, in plain words. */
  readonly background: string;
}
