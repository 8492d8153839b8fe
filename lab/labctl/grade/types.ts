/** What a check is, and what it says. */

import type { GradeWorld } from './world.ts';

export interface Verdict {
  readonly score: number;
  /** One line: what was seen. */
  readonly output: string;
  readonly hint?: string;
  readonly evidence?: unknown;
}

export interface CheckDefinition {
  readonly id: string;
  /** One line for --list. */
  readonly name: string;
  readonly points: number;
  /** Without it nobody passes. */
  readonly isStarred?: boolean;
  /** Scores only where the application writes to the target: nothing passes because nothing happened. */
  readonly needsSwitch?: boolean;
  /** Made before the checks' clocks run. */
  readonly needsReference?: boolean;
  run(world: GradeWorld): Promise<Verdict>;
}

export type Status = 'pass' | 'part' | 'fail' | 'skip' | 'error';

export interface CheckResult {
  readonly id: string;
  readonly name: string;
  readonly score: number;
  readonly max_score: number;
  readonly status: Status;
  readonly output: string;
  readonly hint: string | undefined;
  readonly evidence: unknown;
}

export interface GradeResult {
  readonly score: number;
  readonly max_score: number;
  readonly passed: boolean;
  /** Tells labs apart without telling their seed. */
  readonly seed_id: string;
  /** Of the grader's own files. */
  readonly grader_sha256: string;
  /** What was seen of it, in words; empty: nothing. */
  readonly tampering: readonly string[];
  readonly missing_stars: readonly string[];
  readonly seconds: number;
  readonly tests: readonly CheckResult[];
}
