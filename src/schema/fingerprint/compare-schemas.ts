/** The differences between the objects of one class in two schemas. Pure. */

import { asReprinted } from './as-reprinted.ts';
import type { ObjectsOfClass } from './schema-fingerprint.ts';

export interface SchemaDifference {
  /** "tables", "columns", "indexes", ... */
  readonly class: string;
  /** Quoted and qualified. */
  readonly object: string;
  readonly change: 'added' | 'dropped' | 'changed';
  readonly was?: string;
  readonly is?: string;
}

/** Classes whose definitions hold a query, which versions before 16 print with the tables' names and later ones without. */
const DEPARSED: ReadonlySet<string> = new Set(['views', 'rules', 'policies', 'functions']);

/**
 * From `was` to `is`: the source at two times (drift), or the source and the target (parity). Between two major
 * versions, queries are compared without the names that qualify their columns; which columns they use is compared
 * apart ("view dependencies"). Differences that are meant to be never show, because readSchema() does not read
 * them: schema pgglide, fence triggers, indexes and event triggers named pgglide_*, publications and subscriptions,
 * tablespaces, versions of extensions and comments on them, options of user mappings, names of NOT NULL constraints (18),
 * MAINTAIN (17), large objects, and what the server makes by itself (copies of triggers and foreign keys on partitions,
 * constructors of ranges, triggers of foreign keys). docs/limits.md names them.
 */
export function compareClass(
  name: string,
  was: ObjectsOfClass,
  is: ObjectsOfClass,
  { acrossVersions }: { readonly acrossVersions: boolean },
): SchemaDifference[] {
  if (!acrossVersions) return differences(name, was, is, reprinted);
  const printed = DEPARSED.has(name) ? asPrintedAnywhere : (text: string) => text;
  return differences(name, withPlainKeys(was), withPlainKeys(is), (text) =>
    withPlainJson(printed(reprinted(text))),
  );
}

function differences(
  name: string,
  was: ObjectsOfClass,
  is: ObjectsOfClass,
  form: (definition: string) => string,
): SchemaDifference[] {
  const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return keys.flatMap((object): SchemaDifference[] => {
    const before = Object.hasOwn(was, object) ? was[object] : undefined;
    const now = Object.hasOwn(is, object) ? is[object] : undefined;
    if (before === undefined)
      return [{ class: name, object, change: 'added', ...(now === undefined ? {} : { is: now }) }];
    if (now === undefined) return [{ class: name, object, change: 'dropped', was: before }];
    if (before === now || form(before) === form(now)) return [];
    return [{ class: name, object, change: 'changed', was: before, is: now }];
  });
}

/** From 17 on the type json has no quotes, whatever quote_all_identifiers says. Within JSON they are escaped. */
const withPlainJson = (text: string): string =>
  text.replaceAll('\\"json\\"', 'json').replaceAll('"json"', 'json');

/** A function's key names the types of its arguments. */
const withPlainKeys = (objects: ObjectsOfClass): ObjectsOfClass =>
  Object.fromEntries(Object.entries(objects).map(([key, definition]) => [withPlainJson(key), definition]));

/** The body of a function that is a text, and all after it: no version prints that in its own way. */
const BODY = /\nAS (?=[$'])/;

function onHead(definition: string, form: (head: string) => string): string {
  const body = BODY.exec(definition)?.index ?? definition.length;
  return form(definition.slice(0, body)) + definition.slice(body);
}

const reprinted = (definition: string): string => onHead(definition, asReprinted);
const asPrintedAnywhere = (definition: string): string => onHead(definition, withoutQualifiers);

/** "public"."orders"."id" -> "id"; white space, parentheses and, from 16 on, XMLSERIALIZE's default are the printer's too. */
const withoutQualifiers = (definition: string): string =>
  definition
    .replace(/ NO INDENT(?=\))/g, '')
    .replace(/(?:\\?"(?:[^"\\]|"")*\\?"\.)+(?=\\?")/g, '')
    .replace(/[\s()]+/g, '');
