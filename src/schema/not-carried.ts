/** What a migration sees and does not carry, said out loud: plan and report show it. */

import { ROWS_NOT_FOR_US } from '../domain/aside.ts';
import type { Plan } from '../domain/plan.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { belongsToExtension, excludedRelations, schemaInScope } from '../postgres/scope.ts';
import { list, type Sql, sql } from '../postgres/sql.ts';

/** Large objects can only be counted by who may read pg_largeobject_metadata; everything else is readable by anyone. */
export async function readNotCarried(connection: Connection, scope: Scope): Promise<Plan['notCarried']> {
  const kinds = [
    relations(scope),
    excluded(scope),
    foreignKeysToExcluded(scope),
    invalidIndexes(scope),
    configurationTables(scope),
    ...inNoSchema(scope),
    largeObjects,
    replication,
    temporaryTables,
  ];
  return connection.query(sql`
    SELECT object, reason FROM (${list(kinds, ' UNION ALL ')}) AS everything(object, reason)
    ORDER BY reason COLLATE "C", object COLLATE "C"`);
}

const relations = (scope: Scope): Sql => sql`
  SELECT format('%I.%I', n.nspname, c.relname), CASE
    WHEN c.relkind = 'f' THEN 'foreign table: its definition is carried, its rows stay on the foreign server'
    WHEN c.relkind = 'm' AND c.relispopulated THEN
      'materialized view: its rows are not replicated; it is refreshed at the sync and before each switch'
    WHEN c.relkind = 'm' THEN 'materialized view: not populated on the source, and so left on the target'
    ELSE 'unlogged table: its rows are not replicated; unless they are to stay (copy.unloggedTables: empty) all are copied at the sync and before each switch, and what changes after that is not carried' END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (c.relkind IN ('f', 'm') OR (c.relkind = 'r' AND c.relpersistence = 'u'))
    AND ${schemaInScope(scope)} AND c.oid NOT IN (${excludedRelations(scope)})
    AND NOT ${belongsToExtension(sql`'pg_class'::regclass`, sql`c.oid`)}`;

const excluded = (scope: Scope): Sql => sql`
  SELECT format('%I.%I', n.nspname, c.relname), 'excluded by the configuration'
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm', 'f') AND c.oid IN (${excludedRelations(scope)})`;

const foreignKeysToExcluded = (scope: Scope): Sql => sql`
  SELECT format('%I on %I.%I', k.conname, n.nspname, c.relname),
    'foreign key to a table that is not in the scope: ' || k.confrelid::regclass::text
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE k.contype = 'f' AND ${schemaInScope(scope)} AND c.oid NOT IN (${excludedRelations(scope)})
    AND (k.confrelid IN (${excludedRelations(scope)}) OR EXISTS (
      SELECT FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
      WHERE r.oid = k.confrelid AND rn.nspname <> ALL (coalesce(${scope.schemas ?? null}::text[], ARRAY[rn.nspname]))))`;

/** pg_dump leaves them out without a word. */
const invalidIndexes = (scope: Scope): Sql => sql`
  SELECT format('%I.%I', n.nspname, c.relname),
    'index: invalid on the source (a failed CREATE INDEX CONCURRENTLY?), so it is not dumped'
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT i.indisvalid AND c.relkind = 'i' AND ${schemaInScope(scope)}
    AND i.indrelid NOT IN (${excludedRelations(scope)})`;

const configurationTables = (scope: Scope): Sql => sql`
  SELECT format('%I.%I', n.nspname, c.relname),
    'configuration table of extension ' || x.extname || CASE
      WHEN x.extname = ANY (${Object.keys(ROWS_NOT_FOR_US)}::text[]) THEN ': CREATE EXTENSION makes it, its rows are not copied'
      WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN ': its rows are not copied, because our role may not read them'
      ELSE ': the rows that the extension calls the user''s are not replicated; they are copied at the sync and before each switch' END
  FROM pg_extension x CROSS JOIN LATERAL unnest(x.extconfig) AS t(oid)
  JOIN pg_class c ON c.oid = t.oid AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.reltuples <> 0 AND ${schemaInScope(scope)}`;

/** pg_dump of named schemas leaves out what lies in none. */
const inNoSchema = (scope: Scope): Sql[] => {
  if (scope.schemas === undefined) return [];
  const isOwn = (catalog: Sql) => sql`oid >= 16384 AND NOT ${belongsToExtension(catalog, sql`x.oid`)}`;
  return [
    sql`
  SELECT object, 'in no schema, and only those that scope.schemas names are carried' FROM (
    SELECT format('cast (%s AS %s)', castsource::regtype, casttarget::regtype) FROM pg_cast x WHERE ${isOwn(sql`'pg_cast'::regclass`)}
    UNION ALL SELECT format('language %I', lanname) FROM pg_language x WHERE ${isOwn(sql`'pg_language'::regclass`)}
    UNION ALL SELECT format('access method %I', amname) FROM pg_am x WHERE ${isOwn(sql`'pg_am'::regclass`)}
    UNION ALL SELECT format('foreign-data wrapper %I', fdwname) FROM pg_foreign_data_wrapper x
      WHERE ${isOwn(sql`'pg_foreign_data_wrapper'::regclass`)}
    UNION ALL SELECT format('foreign server %I', srvname) FROM pg_foreign_server x WHERE ${isOwn(sql`'pg_foreign_server'::regclass`)}
    UNION ALL SELECT format('event trigger %I', evtname) FROM pg_event_trigger x
      WHERE evtname !~ '^pgglide_' AND ${isOwn(sql`'pg_event_trigger'::regclass`)}
    UNION ALL SELECT format('default privileges of role %I', pg_get_userbyid(defaclrole))
      FROM pg_default_acl WHERE defaclnamespace = 0) AS global(object)`,
  ];
};

const largeObjects = sql`
  SELECT 'large objects', count(*) || ' large objects: not replicated; carried at the sync and again before each switch'
  FROM pg_largeobject_metadata HAVING count(*) > 0`;

/** Other tools' replication (Debezium and the like) has to be handed over by people. */
const replication = sql`
  SELECT 'publication ' || quote_ident(pubname), 'logical replication of others: set it up anew on the target'
  FROM pg_publication WHERE pubname !~ '^pgglide_'
  UNION ALL
  SELECT 'subscription ' || quote_ident(subname), 'logical replication of others: set it up anew on the target'
  FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
  WHERE d.datname = current_database() AND subname !~ '^pgglide_'
  UNION ALL
  SELECT 'replication slot ' || slot_name, 'logical replication of others: set it up anew on the target'
  FROM pg_replication_slots
  WHERE database = current_database() AND NOT temporary AND slot_name !~ '^pgglide_'`;

const temporaryTables = sql`
  SELECT 'temporary tables', count(*) || ' temporary tables of open sessions'
  FROM pg_class WHERE relkind IN ('r', 'p') AND relpersistence = 't' HAVING count(*) > 0`;
