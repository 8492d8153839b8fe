/** Executes a stage of the schema on the target, statement by statement, so that a killed restore goes on where it was. */

import { PrerequisiteError } from '../domain/errors.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { literal, type Sql, sql, trusted } from '../postgres/sql.ts';
import {
  DEADLOCK_DETECTED,
  FEATURE_NOT_SUPPORTED,
  INSUFFICIENT_PRIVILEGE,
  LOCK_NOT_AVAILABLE,
  QUERY_CANCELED,
  UNDEFINED_FILE,
  UNDEFINED_FUNCTION,
  UNDEFINED_TABLE,
} from '../postgres/sqlstate.ts';
import { cancelledOnAbort } from './cancel.ts';
import type { RestoreStage, RestoreTask } from './classify-restore.ts';
import type { SchemaStatement } from './statement.ts';
import { TaskQueue } from './task-queue.ts';

export interface BuildTuning {
  /** maintenance_work_mem, shared by the parallel workers. */
  readonly maintenanceMegabytes: number;
  /** max_parallel_maintenance_workers. */
  readonly parallelWorkers: number;
}

export interface RestoreTuning {
  /** Of a statement that is executed by itself; `helpers`: jobs that have nothing else to do meanwhile. */
  readonly build?: ((task: RestoreTask, helpers: number) => BuildTuning) | undefined;
  /** How long a statement waits for a lock before it is tried again. */
  readonly lockTimeoutMs?: number | undefined;
}

export interface RestoreOptions {
  readonly stage: RestoreStage;
  /** Opens a session on the target; the stage opens and closes up to `width` of them. */
  readonly connect: () => Promise<Connection>;
  readonly width: number;
  /** Marks statements as done; called in the very transaction that executed them. */
  readonly record: (connection: Connection, statements: readonly SchemaStatement[]) => Promise<void>;
  readonly onProgress?: (progress: RestoreProgress) => void;
  readonly tuning?: RestoreTuning;
  readonly signal?: AbortSignal | undefined;
}

export interface RestoreProgress {
  readonly done: number;
  readonly total: number;
  /** "INDEX orders_body", ... */
  readonly running: readonly string[];
}

/**
 * Leave out of `stage.tasks` what is done already. Each statement and its record are one transaction (cheap ones
 * share a transaction), so after a crash exactly the unrecorded ones are missing.
 *
 * @throws {PrerequisiteError} `schema_statement_failed` with the statement's name and the server's message.
 */
export async function restoreStage(options: RestoreOptions): Promise<void> {
  const { stage } = options;
  if (stage.tasks.length === 0) return;
  const width = stage.mode === 'serial' ? 1 : Math.min(options.width, stage.tasks.length);
  await restoreQueue(new TaskQueue(stage, { jobs: width }), { ...options, width, total: stage.tasks.length });
}

export interface QueueOptions extends Omit<RestoreOptions, 'stage'> {
  /** Tasks in all, for the progress. */
  readonly total: number;
}

/**
 * The same for tasks that come one after the other: ends when the queue is closed and empty. Sessions are opened when
 * there is something for them to do.
 */
export async function restoreQueue(queue: TaskQueue, options: QueueOptions): Promise<void> {
  const { signal } = options;
  const progress = new ProgressCounter(options);
  const connections: Connection[] = [];
  const connect = async (): Promise<Connection> => {
    const connection = await options.connect();
    connections.push(connection);
    await prepareRestoreSession(connection, options.tuning);
    return connection;
  };
  const work = async () => {
    let connection: Connection | undefined;
    for (let taken = await queue.take(); taken.tasks.length > 0; taken = await queue.take()) {
      const { tasks, helpers } = taken;
      signal?.throwIfAborted();
      connection ??= await connect();
      const session = connection;
      await progress.during(tasks, () => runBatch(session, tasks, helpers, options));
      queue.finish(tasks);
    }
  };
  const workUntilFailure = () =>
    work().catch((error: unknown) => {
      queue.fail();
      throw error;
    });
  try {
    const workers = Array.from({ length: Math.max(1, options.width) }, workUntilFailure);
    const results = await cancelledOnAbort(connections, signal, () => Promise.allSettled(workers));
    signal?.throwIfAborted();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

/**
 * The settings that a dump's statements expect, for a session that executes nothing else. A crash of the server may
 * lose the last transactions, but each with its record: losing both is no loss.
 */
async function prepareRestoreSession(connection: Connection, tuning: RestoreTuning = {}): Promise<void> {
  const settings: Record<string, string> = {
    check_function_bodies: 'off',
    xmloption: 'content',
    default_tablespace: '',
    default_table_access_method: 'heap',
    DateStyle: 'ISO',
    IntervalStyle: 'postgres',
    lc_monetary: 'C',
    TimeZone: 'UTC',
    synchronous_commit: 'off',
    lock_timeout: `${tuning.lockTimeoutMs ?? 10_000}ms`,
  };
  await connection.query(sql`
    SELECT set_config(key, value, false) FROM json_each_text(${JSON.stringify(settings)}::json)`);
}

type Recording = Pick<RestoreOptions, 'record' | 'signal' | 'tuning'>;

async function runBatch(
  connection: Connection,
  batch: readonly RestoreTask[],
  helpers: number,
  options: Recording,
): Promise<void> {
  const statements = batch.map((task) => task.statement);
  if (statements.length > 1 && (await runTogether(connection, statements, options))) return;
  for (const task of batch) await runPatiently(connection, task, helpers, options);
}

/** One transaction in one round trip; false when the server refuses it, and nothing of it has happened. */
async function runTogether(
  connection: Connection,
  statements: readonly SchemaStatement[],
  { record }: Recording,
): Promise<boolean> {
  try {
    await connection.transaction(async () => {
      await connection.script(trusted(statements.map((statement) => statement.sql).join('\n')));
      await record(connection, statements);
    });
    return true;
  } catch (error) {
    if (sqlState(error) === undefined || sqlState(error) === QUERY_CANCELED) throw error;
    return false;
  }
}

const MAX_ATTEMPTS = 5;

/** Others may hold a table for a while (autovacuum does): what timed out on a lock is tried again. */
async function runPatiently(
  connection: Connection,
  task: RestoreTask,
  helpers: number,
  { record, signal, tuning }: Recording,
): Promise<void> {
  const { statement } = task;
  const settings = buildSql(tuning?.build?.(task, helpers));
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connection.transaction(async () => {
        // Between two statements there was nothing to cancel.
        signal?.throwIfAborted();
        await connection.script(sql`${settings}${trusted(statement.sql)}`);
        await record(connection, [statement]);
      });
    } catch (error) {
      const state = sqlState(error);
      if (state === undefined || signal?.aborted) throw error;
      const mayPass = state === DEADLOCK_DETECTED || state === LOCK_NOT_AVAILABLE;
      if (!mayPass || attempt === MAX_ATTEMPTS) throw statementFailure(statement, error as Error);
    }
  }
}

const buildSql = (tuning: BuildTuning | undefined): Sql =>
  tuning === undefined
    ? sql``
    : sql`SET LOCAL maintenance_work_mem = ${literal(`${tuning.maintenanceMegabytes}MB`)};
      SET LOCAL max_parallel_maintenance_workers = ${literal(String(tuning.parallelWorkers))}; `;

function statementFailure(statement: SchemaStatement, cause: Error): PrerequisiteError {
  const what = `${statement.kind} ${statement.name}`;
  return new PrerequisiteError('schema_statement_failed', `The target refuses ${what}: ${cause.message}`, {
    hint: hintFor(sqlState(cause)),
    facts: { ...shownStatement(statement), n: statement.n },
    cause,
  });
}

/** Their options hold passwords, which no error may repeat. */
const WITH_SECRETS: ReadonlySet<string> = new Set([
  'FOREIGN DATA WRAPPER',
  'FOREIGN TABLE',
  'SERVER',
  'USER MAPPING',
]);

const shownStatement = ({ kind, sql }: SchemaStatement): { statement?: string } =>
  WITH_SECRETS.has(kind) ? {} : { statement: sql.slice(0, 2000) };

function hintFor(state: string | undefined): string {
  switch (state) {
    case UNDEFINED_FUNCTION:
    case UNDEFINED_TABLE:
      return 'A function that this statement calls finds its own names by search_path. Mend it on the source: ALTER FUNCTION ... SET search_path = ...; then run the same command again.';
    case INSUFFICIENT_PRIVILEGE:
      return 'The target’s role may not do this: make it a member of the owners’ roles, or use a superuser; then run the same command again.';
    case UNDEFINED_FILE:
    case FEATURE_NOT_SUPPORTED:
      return 'An extension or feature is missing on the target: install it there, then run the same command again.';
    default:
      return 'Change it on the source, or exclude it, then run the same command again; "pgglide check" loads the schema into a scratch database first.';
  }
}

class ProgressCounter {
  readonly #options: QueueOptions;
  readonly #running = new Set<string>();
  #done = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  async during(batch: readonly RestoreTask[], work: () => Promise<void>): Promise<void> {
    const names = batch.map(({ statement }) => `${statement.kind} ${statement.name}`);
    for (const name of names) this.#running.add(name);
    this.#report();
    await work();
    for (const name of names) this.#running.delete(name);
    this.#done += batch.length;
    this.#report();
  }

  #report(): void {
    const { total, onProgress } = this.#options;
    onProgress?.({ done: this.#done, total, running: [...this.#running] });
  }
}
