/** What has changed since both sides were last found to agree, class by class. Pure. */

import type { Side, TableName } from '../domain/names.ts';
import { compareClass, type SchemaDifference } from './fingerprint/compare-schemas.ts';
import type { ObjectsOfClass } from './fingerprint/schema-fingerprint.ts';

export type BothClasses = Readonly<Record<Side, ObjectsOfClass>>;

/** Changes of one side since the record. */
export const driftOf = (name: string, was: ObjectsOfClass, now: ObjectsOfClass): SchemaDifference[] =>
  compareClass(name, was, now, { acrossVersions: false });

/** Without what today's scope leaves out: it is there, and nobody reads it any more. */
export function withoutLeftOut(
  differences: readonly SchemaDifference[],
  excluded: readonly TableName[],
): SchemaDifference[] {
  const names = excluded.map(({ schema, name }) => `${quoted(schema)}.${quoted(name)}`);
  // "public"."t", "public"."t"."id", a comment's 'column "public"."t"."id"', 'constraint "k" on "public"."t"'
  const isOf = (object: string, name: string) =>
    ` ${object}`.endsWith(` ${name}`) || ` ${object}`.includes(` ${name}.`);
  return differences.filter(
    ({ object, change }) => change !== 'dropped' || !names.some((name) => isOf(object, name)),
  );
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * Differences between the sides that were not there when they were recorded. Where versions print alike what is not the
 * same (`a AND (b OR c)`, `(a AND b) OR c`), an object that agreed then and changed on one side only differs now.
 */
export function newDifferences(
  name: string,
  record: BothClasses | undefined,
  now: BothClasses,
  versions: { readonly acrossVersions: boolean },
): SchemaDifference[] {
  const between = ({ source, target }: BothClasses) => compareClass(name, source, target, versions);
  const known = new Set(record === undefined ? [] : between(record).map(differenceKey));
  const found = between(now).filter((difference) => !known.has(differenceKey(difference)));
  return record === undefined ? found : [...found, ...changedAlone(name, record, now, versions)];
}

function changedAlone(
  name: string,
  record: BothClasses,
  now: BothClasses,
  versions: { readonly acrossVersions: boolean },
): SchemaDifference[] {
  const differing = ({ source, target }: BothClasses) =>
    new Set(compareClass(name, source, target, versions).map(({ object }) => object));
  const [differedThen, differNow] = [differing(record), differing(now)];
  return compareClass(name, now.source, now.target, { acrossVersions: false }).filter(({ object }) => {
    if (differedThen.has(object) || differNow.has(object)) return false;
    const [onSource, onTarget] = [hasChanged('source', object), hasChanged('target', object)];
    return onSource !== onTarget;
  });

  function hasChanged(side: Side, object: string): boolean {
    return record[side][object] !== now[side][object];
  }
}

const differenceKey = (difference: SchemaDifference): string => JSON.stringify(difference);

/** `columns: "public"."orders"."note" added; ...`, at most `most` of them. */
export function describeDifferences(differences: readonly SchemaDifference[], most = 10): string {
  const told = [...differences.filter((one) => !isMoved(one)).map(described), ...describeMoved(differences)];
  const rest = told.length - most;
  return `${told.slice(0, most).join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`;
}

function described(difference: SchemaDifference): string {
  const { class: kind, object, change } = difference;
  const parts = changedParts(difference).map((part) => part.name);
  return `${kind}: ${object} ${change}${parts.length > 0 ? ` (${parts.join(', ')})` : ''}`;
}

interface ChangedPart {
  readonly name: string;
  readonly was: unknown;
  readonly is: unknown;
}

/** Of definitions that have named parts; empty for others, such as a view's text. */
function changedParts({ was, is }: SchemaDifference): ChangedPart[] {
  const [before, now] = [partsOf(was), partsOf(is)];
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return names
    .map((name) => ({ name, was: before[name], is: now[name] }))
    .filter((part) => JSON.stringify(part.was) !== JSON.stringify(part.is));
}

function partsOf(definition: string | undefined): Readonly<Record<string, unknown>> {
  return definition?.startsWith('{') ? (JSON.parse(definition) as Record<string, unknown>) : {};
}

/** A column that is what it was, at another place of its table: as where another came before it. */
function isMoved(difference: SchemaDifference): boolean {
  if (difference.class !== 'columns' || difference.change !== 'changed') return false;
  const parts = changedParts(difference);
  return parts.length === 1 && parts[0]?.name === 'place';
}

/** One table at a time: one column that moves lets others move. */
function describeMoved(differences: readonly SchemaDifference[]): string[] {
  const tables = new Map<string, string[]>();
  for (const difference of differences.filter(isMoved)) {
    const [, table = '', column = difference.object] = TABLE_AND_COLUMN.exec(difference.object) ?? [];
    const [place] = changedParts(difference);
    tables.set(table, [...(tables.get(table) ?? []), `${column} from ${place?.was} to ${place?.is}`]);
  }
  return [...tables].map(([table, columns]) => `order of the columns of ${table}: ${columns.join(', ')}`);
}

const TABLE_AND_COLUMN = /^(.*)\.("(?:[^"]|"")*")$/s;
