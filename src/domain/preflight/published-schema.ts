/** PGG186: a publication FOR ALL TABLES sends the rows of our own tables, too, to subscribers that have no such tables. */

import { OWN_SCHEMA, SIDES, type Side } from '../names.ts';
import { type AllTablesPublication, type ServerFacts, serverOf } from './facts.ts';
import { quoteName, quoteText } from './quote.ts';
import type { Report, Rule } from './rule.ts';

const MARKER = ['only_row', 'token', 'at'];
/** Lanes that join later (a resumed copy, new tables) have markers, too. */
const MARKERS = Object.fromEntries(
  Array.from({ length: 16 }, (_, lane) => [
    [`marker_forward_${lane}`, MARKER],
    [`marker_reverse_${lane}`, MARKER],
  ]).flat(),
);
const ON_BOTH: Readonly<Record<string, readonly string[]>> = { installed: ['file', 'at'], ...MARKERS };

/** Our logged tables with their columns, as sql/ and the markers make them. */
export const PUBLISHED_TABLES: Readonly<Record<Side, Readonly<Record<string, readonly string[]>>>> = {
  source: ON_BOTH,
  target: {
    ...ON_BOTH,
    migration: [
      ...['name', 'phase', 'active_side', 'epoch', 'plan', 'switchover', 'tuning'],
      ...['source_system_identifier', 'target_system_identifier', 'created_at'],
    ],
    event: ['id', 'migration', 'at', 'type', 'data'],
    schema_statement: ['migration', 'n', 'statement', 'done_at'],
    copy_table: ['migration', 'schema_name', 'table_name', 'lane', 'parts'],
    copied_part: ['migration', 'schema_name', 'table_name', 'part', 'row_count', 'bytes', 'at'],
    created_role: ['migration', 'role_name'],
    schema_record: ['migration', 'side', 'objects', 'hash'],
    schema_class: ['migration', 'side', 'class', 'objects'],
    large_object: ['migration', 'loid'],
    cluster_change: ['migration', 'description', 'roles'],
    role_record: ['migration', 'role_name', 'facts'],
    brought_object: ['migration', 'id', 'kind', 'schema', 'name'],
  },
};

/** Their rows are never applied: a subscription carries the tables that it knew at its last REFRESH. */
const forSubscribers = (side: Side): string =>
  [
    `CREATE SCHEMA ${OWN_SCHEMA};`,
    ...Object.entries(PUBLISHED_TABLES[side]).map(
      ([table, columns]) =>
        `CREATE TABLE ${OWN_SCHEMA}.${table} (${columns.map((column) => `${column} text`).join(', ')});`,
    ),
  ].join(' ');

const READY = `${OWN_SCHEMA}: its subscribers are prepared`;

function judge(
  { name, comment, hasReader }: AllTablesPublication,
  side: Side,
  server: ServerFacts,
): Report[] {
  if (comment.includes(READY)) return [];
  const isInstalled = server.ownSchemaTables.includes('installed');
  return [
    {
      severity: hasReader && !isInstalled ? 'blocker' : 'warning',
      title: `publication ${name} of the ${side} is FOR ALL TABLES: each native subscriber of it stops at the first row of pgglide's own tables`,
      object: name,
      detail: `On each subscriber's database first, and no REFRESH PUBLICATION until the migration is over: ${forSubscribers(side)} Consumers that make their tables themselves (Debezium) need nothing. Then say so with the statement below.`,
      fix: `COMMENT ON PUBLICATION ${quoteName(name)} IS ${quoteText([comment, READY].filter(Boolean).join('; '))};`,
      fixOn: side,
      blocks: 'the subscribers of others',
    },
  ];
}

const publishedSchema: Rule = {
  id: 'PGG186',
  title: 'no publication of others sends pgglide’s own tables',
  severity: 'blocker',
  background: `A publication FOR ALL TABLES has the tables of the schema pgglide in it as soon as they are there (the markers must be logged
tables, or they would not travel). A native subscriber that has no table of that name stops: "logical replication target relation
pgglide.installed does not exist". It tries again for ever, receives nothing more, and its slot keeps WAL. Make the tables on each
subscriber first: their rows are then passed over, because the subscription does not carry them. A subscriber that has stopped goes on
as soon as they are there. The check cannot look at the subscribers, so the publication's comment says that they are prepared. It is a
warning where no slot of a native subscriber is in the database. Drop the schema there when the migration is over.`,
  check: (facts) =>
    SIDES.flatMap((side) => {
      const server = serverOf(facts, side);
      return server.allTablesPublications.flatMap((publication) => judge(publication, side, server));
    }),
};

export const publishedSchemaRules: readonly Rule[] = [publishedSchema];
