/** Fingerprints of whole tables, on both sides at once, inside the sides' snapshots. */

import { inParallel } from '../base/async.ts';
import { qualified, type Side } from '../domain/names.ts';
import type { Heap } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import { movedHeaps } from '../postgres/moved-heaps.ts';
import { type BothSides, onBothSides } from './both-sides.ts';
import type { ComparedTable } from './compared-table.ts';
import {
  addFingerprints,
  type Bits,
  emptyFingerprint,
  type Fingerprint,
  fingerprintParts,
  type HashedRows,
  sameFingerprint,
} from './fingerprint.ts';
import { type HeapPart, heapParts, restsOnItsFile } from './heap-part.ts';
import type { HashMethod } from './row-hash.ts';
import type { SnapshotSessions } from './snapshot-sessions.ts';
import type { VerifyProgress } from './verification.ts';

/** Two pinned sides and how their rows are hashed. */
export interface Comparison {
  readonly sessions: BothSides<SnapshotSessions>;
  readonly method: HashMethod;
  readonly bits: Bits;
  readonly splits: BothSides<boolean>;
  readonly signal: AbortSignal | undefined;
}

export interface TableComparison {
  readonly table: ComparedTable;
  /** False also where a heap was rewritten meanwhile: two snapshots that show no row of the new files prove nothing. */
  readonly equal: boolean;
  readonly fingerprints: BothSides<Fingerprint>;
  readonly ms: number;
}

/** Compares the tables, the largest first, so that the last part to end is a small one; answers in the given order. Constant memory. */
export async function compareTables(
  comparison: Comparison,
  tables: readonly ComparedTable[],
  progress: ProgressCounter,
): Promise<TableComparison[]> {
  const largestFirst = [...tables].sort((a, b) => blocksOf(b) - blocksOf(a));
  const runs = new Map(largestFirst.map((table) => [table, new TableRun(table, comparison)]));
  await onBothSides(async (side, signal) => {
    const sessions = comparison.sessions[side];
    const parts = largestFirst.flatMap((table) => runs.get(table)?.partsOf(side) ?? []);
    await inParallel(
      looksAt(parts, sessions.connections.length),
      sessions.connections.length,
      async (look, worker) => {
        signal.throwIfAborted();
        for (const { run } of look) run.started();
        const read = await sessions.look(worker, (session) => readParts(session, look));
        for (const { run, sum, hasMoved } of read) run.add(side, sum, hasMoved, progress);
      },
    );
  }, comparison.signal);
  return tables.flatMap((table) => runs.get(table)?.result(progress) ?? []);
}

interface PartOfRun {
  readonly run: TableRun;
  readonly part: HeapPart;
}

interface ReadPart extends PartOfRun {
  readonly sum: Fingerprint;
  /** Its heap got another file since the snapshot, and so the sum may lack rows. */
  readonly hasMoved: boolean;
}

/** In one look: while it lasts, its locks keep every heap in the file that it was read from. */
async function readParts(session: Connection, look: readonly PartOfRun[]): Promise<ReadPart[]> {
  const sums = await fingerprintParts(
    session,
    look.map(({ run, part }) => ({ part, rows: run.hashedRows })),
  );
  const read = look.flatMap((one, place) => {
    const sum = sums[place];
    return sum === undefined ? [] : [{ ...one, sum, isDoubtful: restsOnItsFile(one.part, sum.rows) }];
  });
  const moved = await movedHeaps(
    session,
    read.filter(({ isDoubtful }) => isDoubtful).map(({ part }) => part.heap),
  );
  return read.map((one) => ({ ...one, hasMoved: one.isDoubtful && moved.has(qualified(one.part.heap)) }));
}

/** A table of so many blocks is read in less time than a round trip takes: several of them share one. */
const SMALL_BLOCKS = 64;
const MOST_TOGETHER = 20;

/** Parts come largest table first, so behind a small one there are only small ones. Few are shared out among the sessions. */
function* looksAt(parts: readonly PartOfRun[], sessions: number): Generator<readonly PartOfRun[]> {
  const firstSmall = parts.findIndex(({ run }) => blocksOf(run.table) <= SMALL_BLOCKS);
  const large = firstSmall < 0 ? parts : parts.slice(0, firstSmall);
  for (const part of large) yield [part];
  const together = Math.min(MOST_TOGETHER, Math.ceil((parts.length - large.length) / sessions / 4));
  for (let first = large.length; first < parts.length; first += together)
    yield parts.slice(first, first + together);
}

const blocksOf = (table: ComparedTable): number => {
  const sum = (heaps: readonly Heap[]) => heaps.reduce((blocks, heap) => blocks + heap.blocks, 0);
  return Math.max(sum(table.heaps.source), sum(table.heaps.target));
};

/** Cumulative over all tables of a verification. */
export class ProgressCounter {
  #rows = 0;
  #done = new Set<string>();
  readonly #tables: number;
  readonly #report: VerifyProgress;

  constructor(tables: number, report: VerifyProgress = () => undefined) {
    this.#tables = tables;
    this.#report = report;
  }

  add(table: ComparedTable, rows: number, isDone: boolean): void {
    this.#rows += rows;
    if (isDone) this.#done.add(qualified(table));
    const tablesDone = this.#done.size;
    this.#report({ tablesDone, tables: this.#tables, rows: this.#rows, table: qualified(table) });
  }
}

class TableRun {
  readonly table: ComparedTable;
  readonly hashedRows: HashedRows;
  readonly #parts: BothSides<readonly HeapPart[]>;
  readonly #sums: Record<Side, Fingerprint>;
  #hasMoved = false;
  #left: number;
  #startedAt: number | undefined;
  #ms = 0;

  constructor(table: ComparedTable, { method, bits, splits }: Comparison) {
    this.table = table;
    this.hashedRows = { columns: table.columns, method, bits };
    this.#parts = {
      source: heapParts(table.heaps.source, splits.source),
      target: heapParts(table.heaps.target, splits.target),
    };
    this.#left = this.#parts.source.length + this.#parts.target.length;
    this.#sums = { source: emptyFingerprint(bits), target: emptyFingerprint(bits) };
  }

  partsOf(side: Side): PartOfRun[] {
    return this.#parts[side].map((part) => ({ run: this, part }));
  }

  started(): void {
    this.#startedAt ??= performance.now();
  }

  add(side: Side, fingerprint: Fingerprint, hasMoved: boolean, progress: ProgressCounter): void {
    this.#sums[side] = addFingerprints(this.#sums[side], fingerprint);
    this.#hasMoved ||= hasMoved;
    this.#left -= 1;
    this.#ms = performance.now() - (this.#startedAt ?? 0);
    progress.add(this.table, side === 'source' ? fingerprint.rows : 0, this.#left === 0);
  }

  result(progress: ProgressCounter): TableComparison {
    // A partition tree without leaves has nothing to scan.
    if (this.#startedAt === undefined) progress.add(this.table, 0, true);
    const { source, target } = this.#sums;
    return {
      table: this.table,
      equal: !this.#hasMoved && sameFingerprint(source, target),
      fingerprints: { source, target },
      ms: Math.round(this.#ms),
    };
  }
}
