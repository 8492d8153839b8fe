/** Every failure a user can meet: family -> exit code, code -> what happened and what to do. */

export interface ErrorDetails {
  /** What to do next, one or two sentences. */
  readonly hint?: string;
  /** Machine-readable facts; never a secret. */
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export abstract class PgglideError extends Error {
  abstract readonly exitCode: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint;
    this.facts = details.facts ?? {};
  }
}

/** Anything unexpected: a bug of ours. */
export class UnexpectedError extends PgglideError {
  readonly exitCode = 1;
}
/** Wrong flags, wrong configuration. */
export class UsageError extends PgglideError {
  readonly exitCode = 2;
}
/** Someone must change a server before we can go on. */
export class PrerequisiteError extends PgglideError {
  readonly exitCode = 3;
}
/** A server (or the proxy) cannot be reached or does not let us in. */
export class UnreachableError extends PgglideError {
  readonly exitCode = 4;
}
/** The two sides differ. */
export class DifferenceError extends PgglideError {
  readonly exitCode = 5;
}
/** A cutover, rehearsal or rollback was given up; traffic is where it was. */
export class SwitchoverAbortedError extends PgglideError {
  readonly exitCode = 6;
}
/** Wrong phase, or a confirmation is needed. */
export class RefusedError extends PgglideError {
  readonly exitCode = 7;
}
/** Another runner holds the migration's lock. */
export class LockedError extends PgglideError {
  readonly exitCode = 8;
}
/** `wait` timed out. */
export class WaitTimeoutError extends PgglideError {
  readonly exitCode = 9;
}
/** SIGINT, SIGTERM or SIGHUP; the same command again goes on. */
export class InterruptedError extends PgglideError {
  readonly exitCode = 10;
}
/** Slot lost, apply conflict, subscription disabled. */
export class ReplicationError extends PgglideError {
  readonly exitCode = 11;
}
/** We cannot prove where clients write: a human is needed. */
export class UnprovenError extends PgglideError {
  readonly exitCode = 20;
}
