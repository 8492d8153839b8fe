/** The outcome of `verify`: what is equal in one line, what differs row by row. Pure. */

import type { SchemaAgreement, VerificationSummary } from '../domain/event.ts';
import type { Side, TableName } from '../domain/names.ts';
import { qualified } from '../domain/names.ts';
import { printable } from './printable.ts';
import { formatCount, formatDuration } from './quantity.ts';
import { type Painter, painter, type Style } from './style.ts';

/** A row that one side lacks or that differs; undefined as a column's value: no such row there. */
export interface ShownDifference {
  readonly database?: string;
  readonly table: TableName;
  readonly key: readonly { readonly name: string; readonly value: string }[];
  readonly kind: 'missing-on-target' | 'missing-on-source' | 'changed';
  readonly columns: readonly {
    readonly name: string;
    readonly source: string | null | undefined;
    readonly target: string | null | undefined;
  }[];
  readonly copies: number;
}

export interface VerifyResult {
  readonly summary: VerificationSummary;
  readonly differingRows: readonly ShownDifference[];
  /** Rows that changed faster than they could be compared. */
  readonly unsettledRows: number;
}

const MOST_ROWS = 20;
const MOST_LETTERS = 80;
const INDENT = '            ';

/** @param activeSide the other one is what a switch would go to */
export function verifyText(result: VerifyResult, activeSide: Side, style: Style): string {
  const paint = painter(style);
  const { summary, differingRows, unsettledRows } = result;
  const different = summary.tables.filter((table) => !table.equal);
  const hidden = differingRows.length - MOST_ROWS;
  const lines = [
    ...schemaLines(summary.schema, paint),
    rowsLine(summary, different.length, paint),
    ...different.map(
      ({ table, sourceRows, targetRows }) =>
        `${INDENT}${paint.failed} ${printable(table)}: source ${formatCount(sourceRows)} rows, target ${formatCount(targetRows)} rows`,
    ),
    ...differingRows.slice(0, MOST_ROWS).flatMap((row) => differenceLines(row)),
    ...(hidden > 0 ? [`${INDENT}  ${paint.ellipsis} and ${hidden} more (all of them: -o json)`] : []),
    ...(unsettledRows > 0
      ? [
          `${INDENT}${paint.warning} ${formatCount(unsettledRows)} rows changed faster than they could be compared`,
        ]
      : []),
    ...generatedLines(summary.schema, paint),
    `sequences   ${sequences(summary.sequencesEqual, paint)}`,
    lastLine(summary, different.length, activeSide),
  ];
  return lines.join('\n');
}

function schemaLines(schema: SchemaAgreement | undefined, paint: Painter): string[] {
  if (schema === undefined) return [];
  const { differences } = schema;
  if (differences.length === 0) return [`schema      ${paint.ok} the same on both sides`];
  const known = `${formatCount(differences.length)} ${differences.length === 1 ? 'difference' : 'differences'} that were there after the sync and are taken for meant`;
  return [
    `schema      ${paint.warning} ${known}`,
    ...shortened(
      differences.map(
        ({ class: kind, object, change }) => `${kind}: ${printable(object)} ${ON_TARGET[change]}`,
      ),
      paint,
    ),
  ];
}

/** From the source to the target. */
const ON_TARGET: Readonly<Record<SchemaAgreement['differences'][number]['change'], string>> = {
  added: 'is on the target alone',
  dropped: 'is on the source alone',
  changed: 'is not the same on the target',
};

function generatedLines(schema: SchemaAgreement | undefined, paint: Painter): string[] {
  if (schema === undefined || schema.generatedColumns.length === 0) return [];
  return [
    `${INDENT}${paint.note} not compared: stored generated columns, which each server computes by itself`,
    ...shortened(schema.generatedColumns.map(printable), paint),
  ];
}

function shortened(lines: readonly string[], paint: Painter): string[] {
  const hidden = lines.length - MOST_ROWS;
  return [
    ...lines.slice(0, MOST_ROWS).map((line) => `${INDENT}  ${line}`),
    ...(hidden > 0 ? [`${INDENT}  ${paint.ellipsis} and ${hidden} more (all of them: -o json)`] : []),
  ];
}

function rowsLine(summary: VerificationSummary, different: number, paint: Painter): string {
  const { tables, seconds, mode } = summary;
  const rows = tables.reduce((sum, table) => sum + table.sourceRows, 0);
  const sign = different === 0 ? paint.ok : paint.failed;
  const how = mode === 'pinned' ? 'both sides at one instant' : 'under load';
  return `rows        ${sign} ${tables.length - different} of ${tables.length} tables equal, ${formatCount(rows)} rows in ${formatDuration(seconds * 1000)}, ${how}`;
}

function sequences(equal: boolean | undefined, paint: Painter): string {
  if (equal === undefined) return `${paint.note} set at the cutover`;
  return equal ? `${paint.ok} equal` : `${paint.failed} differ`;
}

function differenceLines({ database, table, key, kind, columns, copies }: ShownDifference): string[] {
  const name = `${database === undefined ? '' : `${database}.`}${qualified(table)}`;
  const keyText = key.map(({ name, value }) => `${name}=${shorten(value)}`).join(', ');
  const head = `${INDENT}  ${printable(name)}  ${keyText || 'a row without a key'}`;
  if (kind !== 'changed') {
    const side = kind === 'missing-on-target' ? 'target' : 'source';
    return [`${head}   missing on the ${side}${copies > 1 ? ` ${copies} times` : ''}`];
  }
  return columns.map(
    ({ name, source, target }) =>
      `${head}   ${printable(name)}   source ${shown(source)}   target ${shown(target)}`,
  );
}

const shown = (value: string | null | undefined): string => (value == null ? 'NULL' : shorten(value));

const shorten = (value: string): string => {
  const text = printable(value);
  return text.length <= MOST_LETTERS ? text : `${text.slice(0, MOST_LETTERS)}...`;
};

function lastLine({ equal, schema }: VerificationSummary, different: number, activeSide: Side): string {
  const what = (schema?.differences.length ?? 0) > 0 ? 'The rows of both sides' : 'Both sides';
  if (equal)
    return `${what} are equal.   Next: pgglide ${activeSide === 'source' ? 'cutover' : 'rollback'} --dry-run`;
  if (different === 0) return 'The sides differ.';
  return `${different} ${different === 1 ? 'table differs' : 'tables differ'}.`;
}
