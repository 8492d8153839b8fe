/** Copies one batch of parts over a pair of sessions, in one transaction on either side. */

import type { Side } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { list, literal, type Sql, sql } from '../postgres/sql.ts';
import { copyFailure } from './copy-failure.ts';
import { pipeCopies } from './copy-pipe.ts';
import { copyInStatements, copyOutStatement } from './copy-statements.ts';
import { assertNotRewritten } from './heap-file.ts';
import type { CopyPart } from './parts.ts';
import type { Throttle } from './throttle.ts';

/** A part whose rows are in its table; the transaction is not committed yet. */
export interface FinishedPart {
  readonly part: CopyPart;
  readonly rows: number;
  /** Bytes on the wire. */
  readonly bytes: number;
}

/** What all workers of a copy share. */
export interface CopyContext {
  readonly snapshot: string;
  /** The target's server encoding. */
  readonly encoding: string;
  readonly throttle: Throttle;
  /** Called inside the target's transaction: what it writes stands or falls with the rows. */
  readonly recordParts: (target: Connection, parts: readonly FinishedPart[]) => Promise<void>;
  readonly onData: (part: CopyPart, bytes: number, rows: number) => void;
}

/** After a rejection the sessions must be ended. */
export async function copyBatch(
  context: CopyContext,
  sessions: Readonly<Record<Side, Connection>>,
  parts: readonly CopyPart[],
): Promise<readonly FinishedPart[]> {
  try {
    const copies = await pipeCopies({
      ...sessions,
      sourceScript: sourceScript(context, parts),
      targetScript: targetScript(context, parts),
      holdMs: (bytes) => context.throttle.holdMs(bytes),
      onData: (index, bytes, rows) => {
        const part = parts[index];
        if (part !== undefined) context.onData(part, bytes, rows);
      },
    });
    const finished = parts.map((part, index) => ({ part, rows: 0, bytes: 0, ...copies[index] }));
    await assertNotRewritten(sessions.source, finished);
    await context.recordParts(sessions.target, finished);
    await Promise.all([sessions.source.script(sql`COMMIT`), sessions.target.script(sql`COMMIT`)]);
    return finished;
  } catch (error) {
    throw copyFailure(error, parts, sessions);
  }
}

/** A transaction for each batch, so that tables already copied are not locked any longer. */
const sourceScript = (context: CopyContext, parts: readonly CopyPart[]): Sql =>
  list(
    [
      sql`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`,
      sql`SET TRANSACTION SNAPSHOT ${literal(context.snapshot)}`,
      ...parts.map((part) => copyOutStatement(part, context)),
    ],
    '; ',
  );

/** Stays open: recordParts and COMMIT follow once all rows are known to have arrived. */
const targetScript = (context: CopyContext, parts: readonly CopyPart[]): Sql =>
  list([sql`BEGIN`, ...parts.flatMap((part) => copyInStatements(part, context))], '; ');
