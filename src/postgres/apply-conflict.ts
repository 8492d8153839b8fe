/** Why a transaction does not fit the subscriber, as far as its catalog and rows tell. */

import { qualified } from '../domain/names.ts';
import type { PublishedRelation, TupleValue } from '../domain/pgoutput.ts';
import type { Connection } from './connection.ts';
import type { FailingTransaction, RowChange } from './failing-transaction.ts';
import { AS_APPLY_WORKER_LOCAL } from './fence.ts';
import { ident, list, literal, type Sql, sql, trusted } from './sql.ts';
import { tableAlone } from './table-alone.ts';

export interface ApplyConflict {
  readonly kind: 'table-missing' | 'column-missing' | 'row-exists';
  readonly table: string;
  /** "id=5" */
  readonly key: string | undefined;
  /** What stands in the way, as a sentence without its end. */
  readonly text: string;
  /** SQL for the subscriber that mends it, where there is one. */
  readonly remedy: string | undefined;
}

interface UniqueKey {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

interface SubscriberTable {
  /** In a statement. */
  readonly name: Sql;
  readonly columns: ReadonlySet<string>;
  readonly keys: readonly UniqueKey[];
}

/** The first change that cannot be applied; undefined when nothing of that kind is found: the server's log knows. */
export async function findConflict(
  subscriber: Connection,
  transaction: FailingTransaction,
): Promise<ApplyConflict | undefined> {
  const tables = new Map<number, SubscriberTable | undefined>();
  const gone = new Set<string>();
  for (const change of transaction.changes) {
    const { relation } = change;
    if (!tables.has(relation.id)) tables.set(relation.id, await subscriberTable(subscriber, relation));
    const table = tables.get(relation.id);
    if (table === undefined) return tableMissing(relation);
    const missing = relation.columns.filter(({ name }) => !table.columns.has(name));
    if (missing.length > 0)
      return columnsMissing(
        relation,
        missing.map(({ name }) => name),
      );
    if (change.type === 'delete') gone.add(`${relation.id} ${keyText(relation, change.before)}`);
    if (change.type !== 'insert' || gone.has(`${relation.id} ${keyText(relation, change.after)}`)) continue;
    const key = await existingKey(subscriber, table, change);
    if (key !== undefined) return rowExists(change, table.name, key);
  }
  return undefined;
}

async function subscriberTable(
  subscriber: Connection,
  { schema, name }: PublishedRelation,
): Promise<SubscriberTable | undefined> {
  const columns = await subscriber.query<{ name: string; isPartitioned: boolean }>(sql`
    SELECT a.attname AS name, c.relkind = 'p' AS "isPartitioned" FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ${schema} AND c.relname = ${name} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`);
  const [first] = columns;
  if (first === undefined) return undefined;
  const keys = await subscriber.query<UniqueKey>(sql`
    SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY k.place) AS columns
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE n.nspname = ${schema} AND c.relname = ${name} AND i.indisunique AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
    GROUP BY i.indexrelid, i.indisprimary ORDER BY i.indisprimary DESC, i.indexrelid`);
  return {
    name: tableAlone({ schema, name, isPartitioned: first.isPartitioned }),
    columns: new Set(columns.map((column) => column.name)),
    keys,
  };
}

/** The unique key by which a row stands in the way of this insert. */
async function existingKey(
  subscriber: Connection,
  { name, keys }: SubscriberTable,
  change: RowChange,
): Promise<Sql | undefined> {
  for (const key of keys) {
    const condition = keyCondition(change, key);
    if (condition === undefined) continue;
    const found = await subscriber
      .query(sql`SELECT FROM ${name} WHERE ${condition} LIMIT 1`)
      // A type whose equality is not to be found with our search_path; the next key may tell.
      .catch(() => []);
    if (found.length > 0) return condition;
  }
  return undefined;
}

/** Undefined where a value is NULL or was not sent: such a row is unlike any other. */
function keyCondition({ relation, after }: RowChange, { columns }: UniqueKey): Sql | undefined {
  const terms: Sql[] = [];
  for (const { name, type } of columns) {
    const value = after?.[relation.columns.findIndex((column) => column.name === name)];
    if (typeof value !== 'string') return undefined;
    terms.push(sql`${ident(name)} = ${literal(value)}::${trusted(type)}`);
  }
  return list(terms, ' AND ');
}

const keyText = (relation: PublishedRelation, values: readonly TupleValue[] | undefined): string =>
  relation.columns
    .map(({ name, isKey }, index) => ({ name, isKey, value: values?.[index] }))
    .filter(({ isKey }) => isKey)
    .map(({ name, value }) => `${name}=${value ?? 'NULL'}`)
    .join(', ');

function rowExists({ relation, after }: RowChange, name: Sql, key: Sql): ApplyConflict {
  const table = qualified(relation);
  const shown = keyText(relation, after);
  return {
    kind: 'row-exists',
    table,
    key: shown,
    text: `the row of ${table} with ${key.text} is there already`,
    remedy: `BEGIN; ${AS_APPLY_WORKER_LOCAL.text}; DELETE FROM ${name.text} WHERE ${key.text}; COMMIT;`,
  };
}

const tableMissing = (relation: PublishedRelation): ApplyConflict => ({
  kind: 'table-missing',
  table: qualified(relation),
  key: undefined,
  text: `table ${qualified(relation)} is not there`,
  remedy: undefined,
});

const columnsMissing = (relation: PublishedRelation, missing: readonly string[]): ApplyConflict => ({
  kind: 'column-missing',
  table: qualified(relation),
  key: undefined,
  text: `${qualified(relation)} lacks column ${missing.join(', ')}`,
  remedy: undefined,
});
