/** What a verification finds. Types only. */

import type { EventMap, VerificationSummary } from '../domain/event.ts';
import type { TableName } from '../domain/names.ts';

/** A value as its type's output function prints it, with the session pinned. null: NULL. undefined: no such row. */
export type ColumnText = string | null | undefined;

export interface DifferingColumn {
  readonly name: string;
  readonly source: ColumnText;
  readonly target: ColumnText;
}

export interface DifferingRow {
  /** Where several databases move together. */
  readonly database?: string;
  readonly table: TableName;
  /** The key's columns. Empty for a table without a key: there, `columns` is the whole row. */
  readonly key: readonly { readonly name: string; readonly value: string }[];
  readonly kind: 'missing-on-target' | 'missing-on-source' | 'changed';
  /** `changed`: the columns that differ. Otherwise all, with undefined on the side that lacks the row. */
  readonly columns: readonly DifferingColumn[];
  /** How often the row is missing, for tables without a key; else 1. */
  readonly copies: number;
}

export interface Verification {
  readonly summary: VerificationSummary;
  /** The first ones of each table that differs; confirmed by reading the rows themselves. */
  readonly differingRows: readonly DifferingRow[];
  /** Rows that changed faster than they could be compared (online only): neither proven equal nor different. */
  readonly unsettledRows: number;
}

export type VerifyProgress = (progress: EventMap['verify-progress']) => void;
