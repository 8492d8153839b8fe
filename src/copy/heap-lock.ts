/** Keeps rows where they are while a heap is copied in ranges. */

import type { Connection } from '../postgres/connection.ts';
import { ident, list, sql } from '../postgres/sql.ts';
import type { CopyPart } from './parts.ts';

/**
 * VACUUM FULL, CLUSTER and rewriting ALTERs move rows: ranges read before and after would miss some and repeat others.
 * ACCESS SHARE is what any SELECT takes; it blocks only those (and TRUNCATE and DROP), until the session ends.
 */
export async function lockHeaps(session: Connection, ranges: readonly CopyPart[]): Promise<void> {
  const heaps = new Map(
    ranges.map((part) => [JSON.stringify([part.heap.schema, part.heap.name]), part.heap]),
  );
  const names = [...heaps.values()].map((heap) => sql`ONLY ${ident(heap.schema, heap.name)}`);
  await session.script(sql`BEGIN READ ONLY; LOCK TABLE ${list(names)} IN ACCESS SHARE MODE`);
}
