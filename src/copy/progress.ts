/** How far the copy is, table by table. Pure: times are passed in. */

import type { CopyProgress, CopyTableProgress } from '../domain/event.ts';
import { qualified } from '../domain/names.ts';
import type { CopyPart } from './parts.ts';

/** The rate shown is that of the last samples: long enough to be calm, short enough to show a throttle. */
const RATE_WINDOW_MS = 5_000;

interface TableState {
  readonly table: string;
  totalBytes: number;
  parts: number;
  partsDone: number;
  /** Of finished parts. */
  doneBytes: number;
  doneRows: number;
  readonly running: Map<string, Amount>;
}

interface Amount {
  bytes: number;
  rows: number;
}

/**
 * Sizes are bytes on the source's disk, since those are known before: a running part counts what has passed
 * on the wire up to its own size, a finished one its size.
 */
export class CopyMeter {
  readonly #tables = new Map<string, TableState>();
  readonly #startedMs: number;
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];
  #tablesDone = 0;

  constructor(parts: readonly CopyPart[], nowMs: number) {
    this.#startedMs = nowMs;
    for (const part of parts) {
      const state = this.#tables.get(tableKey(part)) ?? newState(part);
      this.#tables.set(tableKey(part), state);
      state.totalBytes += part.bytes;
      state.parts++;
    }
  }

  passed(part: CopyPart, bytes: number, rows: number): void {
    const { running } = this.#stateOf(part);
    const amount = running.get(part.id) ?? { bytes: 0, rows: 0 };
    amount.bytes = Math.min(part.bytes, amount.bytes + bytes);
    amount.rows += rows;
    running.set(part.id, amount);
  }

  /** True when it was the last part of its table. */
  finished(part: CopyPart, rows: number): boolean {
    const state = this.#stateOf(part);
    state.running.delete(part.id);
    state.partsDone++;
    state.doneBytes += part.bytes;
    state.doneRows += rows;
    const isTableDone = state.partsDone === state.parts;
    if (isTableDone) this.#tablesDone++;
    return isTableDone;
  }

  progress(nowMs: number): CopyProgress {
    const tables = [...this.#tables.values()];
    const bytes = sumOf(tables, bytesOf);
    return {
      bytes,
      totalBytes: sumOf(tables, (table) => table.totalBytes),
      rows: sumOf(tables, rowsOf),
      tablesDone: this.#tablesDone,
      tables: tables.length,
      running: tables.filter((table) => table.running.size > 0).map(tableProgress),
      bytesPerSecond: this.#rate(nowMs, bytes),
      elapsedMs: nowMs - this.#startedMs,
    };
  }

  #rate(nowMs: number, bytes: number): number {
    const oldest = () => this.#samples[0] ?? { atMs: this.#startedMs, bytes: 0 };
    this.#samples.push({ atMs: nowMs, bytes });
    while (this.#samples.length > 2 && nowMs - oldest().atMs > RATE_WINDOW_MS) this.#samples.shift();
    const from = this.#samples.length > 1 ? oldest() : { atMs: this.#startedMs, bytes: 0 };
    const seconds = (nowMs - from.atMs) / 1000;
    return seconds > 0 ? (bytes - from.bytes) / seconds : 0;
  }

  #stateOf(part: CopyPart): TableState {
    const state = this.#tables.get(tableKey(part));
    if (state === undefined) throw new RangeError(`Not a part of this copy: ${part.id}`);
    return state;
  }
}

const tableKey = ({ table }: CopyPart): string => JSON.stringify([table.schema, table.name]);

const newState = ({ table }: CopyPart): TableState => ({
  table: qualified(table),
  totalBytes: 0,
  parts: 0,
  partsDone: 0,
  doneBytes: 0,
  doneRows: 0,
  running: new Map(),
});

const bytesOf = (table: TableState): number =>
  table.doneBytes + sumOf([...table.running.values()], (part) => part.bytes);
const rowsOf = (table: TableState): number =>
  table.doneRows + sumOf([...table.running.values()], (part) => part.rows);

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

const tableProgress = (state: TableState): CopyTableProgress => ({
  table: state.table,
  bytes: bytesOf(state),
  totalBytes: state.totalBytes,
  rows: rowsOf(state),
  partsDone: state.partsDone,
  parts: state.parts,
});
