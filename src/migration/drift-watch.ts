/**
 * Whether the schema of either side has changed since both were recorded, for those who look again and again: compared when
 * DDL was noted, and every minute anyway, in the background and in sessions of its own. The fingerprint judges: a table that
 * was made and dropped again is no change.
 */

import { allEnded, sleep } from '../base/async.ts';
import { PgglideError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { type Comparison, isComparisonDue, type SchemaChange } from '../domain/schema-change.ts';
import type { StepContext } from '../engine/step.ts';
import { sqlState } from '../postgres/connection.ts';
import { type NotedDdl, readNotedDdl } from '../postgres/noted-ddl.ts';
import { sql } from '../postgres/sql.ts';
import { describeDifferences } from '../schema/drift.ts';
import { tableExists } from '../state/install.ts';
import { readSchemaHashes } from '../state/schema-record.ts';
import { findDrift } from '../steps/check-drift.ts';

type Context = Pick<StepContext, 'source' | 'target' | 'migration' | 'settings' | 'open'>;
type Found = Awaited<ReturnType<typeof findDrift>>;

/** A look waits this long for a comparison; of thousands of tables, a later look has it. */
const FIRST_PATIENCE_MS = 5000;
const PATIENCE_MS = 1000;
/** Of a definition whose table somebody holds: the comparison is given up and made again. */
const LOCK_TIMEOUT_MS = 1000;

export class DriftWatch implements AsyncDisposable {
  readonly #context: Context;
  /** The last that came to its end, and what it compared. */
  #last:
    | (Comparison & { readonly key: string; readonly recorded: string; readonly found?: Found })
    | undefined;
  #running: Promise<void> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Undefined: not known, nothing is recorded yet or the comparison is still under way. */
  async look(schema: 'awaited' | 'at-hand'): Promise<readonly SchemaChange[] | undefined> {
    const { source, target, migration } = this.#context;
    if (!(await tableExists(target, 'schema_class'))) return undefined;
    const hashes = await readSchemaHashes(target, migration);
    if (hashes === undefined) return undefined;
    const noted = { source: await this.#noted(source), target: await this.#noted(target) };
    const recorded = JSON.stringify(hashes);
    const key = JSON.stringify([hashes, seenOf(noted.source), seenOf(noted.target)]);
    if (
      this.#running === undefined &&
      isComparisonDue(this.#last, key !== this.#last?.key, performance.now())
    )
      this.#start(key, recorded);
    if (schema === 'awaited') await this.#patiently();
    const last = this.#last;
    if (last?.found === undefined || last.recorded !== recorded) return undefined;
    return changesOf(last.found, noted);
  }

  #noted(connection: Context['source']): Promise<NotedDdl | undefined> {
    return tableExists(connection, 'noted_ddl').then((exists) =>
      exists ? readNotedDdl(connection, this.#context.settings.scope) : undefined,
    );
  }

  #start(key: string, recorded: string): void {
    this.#running = this.#compare(key, recorded).finally(() => {
      this.#running = undefined;
    });
    // Where no look waits for it any more, nobody else does.
    this.#running.catch(() => undefined);
  }

  async #patiently(): Promise<void> {
    if (this.#running === undefined) return;
    const done = new AbortController();
    const limitMs = this.#last === undefined ? FIRST_PATIENCE_MS : PATIENCE_MS;
    const patience = sleep(limitMs, done.signal).catch(() => undefined);
    await Promise.race([this.#running, patience]);
    done.abort();
  }

  /** What a server refuses is the cutover's to say; here it is tried again as if something had been noted. */
  async #compare(key: string, recorded: string): Promise<void> {
    const startedMs = performance.now();
    const found = await this.#find().catch(unknownIfRefused);
    const endedMs = performance.now();
    const tookMs = endedMs - startedMs;
    this.#last = { endedMs, tookMs, recorded, ...(found ? { key, found } : { key: '' }) };
  }

  async #find(): Promise<Found> {
    const { migration, settings } = this.#context;
    await using source = await this.#context.open('source', 'schema watch');
    await using target = await this.#context.open('target', 'schema watch');
    const limit = sql`SELECT set_config('lock_timeout', ${`${LOCK_TIMEOUT_MS}ms`}, false)`;
    await allEnded([source.execute(limit), target.execute(limit)]);
    return await findDrift({ source, target, migration, scope: settings.scope });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.catch(() => undefined);
  }
}

function unknownIfRefused(error: unknown): undefined {
  if (!(error instanceof PgglideError) && sqlState(error) === undefined) throw error;
}

const seenOf = (noted: NotedDdl | undefined): unknown => noted && [noted.total, noted.until];

const changesOf = (
  { drifts, hashes }: Found,
  noted: Readonly<Record<Side, NotedDdl | undefined>>,
): SchemaChange[] =>
  drifts.map(({ side, differences }) => ({
    side,
    fingerprint: hashes?.[side] ?? '',
    changes: describeDifferences(differences),
    statements: noted[side]?.statements ?? [],
    statementCount: noted[side]?.total ?? 0,
  }));
